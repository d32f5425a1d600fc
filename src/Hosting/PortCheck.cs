using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Net.Sockets;

namespace IgptCluster.Hosting;

/// <summary>Tells a taken port before anything is started: what the parts that listen say of it is long, and names no setting.</summary>
public static class PortCheck
{
    /// <summary>Checks the ports of a node.</summary>
    /// <param name="cluster">Its ports for other nodes.</param>
    /// <param name="listen">Its ports for clients.</param>
    /// <exception cref="ValidationException">One cannot be listened on; the message names the setting and the option.</exception>
    public static void Require(ClusterOptions cluster, ListenOptions listen)
    {
        IPAddress inside = cluster.Address == "127.0.0.1" ? IPAddress.Loopback : IPAddress.Any;
        Require("Igpt:Cluster:SiloPort", "--silo-port", new IPEndPoint(inside, cluster.SiloPort));
        Require("Igpt:Cluster:ClientPort", "--client-port", new IPEndPoint(inside, cluster.ClientPort));
        Require("Igpt:Listen:Http", "--http", IPEndPoint.Parse(listen.Http));
        if (listen.Enabled)
        {
            Require("Igpt:Listen:Grpc", "--grpc", IPEndPoint.Parse(listen.Grpc));
        }
    }

    static void Require(string setting, string option, IPEndPoint where)
    {
        try
        {
            using var listener = new TcpListener(where);
            listener.Start();
        }
        catch (SocketException failure)
        {
            throw new ValidationException($"{setting}: cannot listen on {where}: {failure.Message}. Give another ({option}), or stop the program that has it", failure);
        }
    }
}
