using System.Net;
using System.Net.Sockets;

namespace IgptCluster.Hosting.Settings;

/// <summary>
/// Finds TCP ports that nobody listens at, and reserves them while this process lives: of two processes that start at the same time each gets its own. A reservation is a name in Linux's
/// abstract namespace of sockets, which the system clears when the process ends; elsewhere there is none.
/// </summary>
static class FreePort
{
    const int Tries = 100;
    static readonly List<Socket> Reserved = [];
    static readonly Lock Reserving = new();

    /// <summary>The next free port of an address.</summary>
    /// <param name="port">The port to begin at.</param>
    /// <param name="address">The address to listen at.</param>
    /// <returns>The port; <paramref name="port"/> where none of the next hundred is free: listening there tells why.</returns>
    internal static int AtOrAfter(int port, string address) =>
        Enumerable.Range(port, Tries).Where(candidate => IsFree(new IPEndPoint(IPAddress.Parse(address), candidate)) && TryReserve(candidate)).FirstOrDefault(port);

    /// <summary>The same of an address and port.</summary>
    /// <param name="endpoint">Address and port.</param>
    /// <param name="except">Address and port that are not to be taken.</param>
    internal static string AtOrAfter(string endpoint, string except)
    {
        IPEndPoint first = IPEndPoint.Parse(endpoint);
        return Enumerable.Range(first.Port, Tries)
            .Select(port => new IPEndPoint(first.Address, port))
            .Where(candidate => !candidate.Equals(IPEndPoint.Parse(except)) && IsFree(candidate) && TryReserve(candidate.Port))
            .Select(candidate => candidate.ToString())
            .FirstOrDefault(endpoint);
    }

    static bool TryReserve(int port)
    {
        if (!OperatingSystem.IsLinux())
        {
            return true;
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(new UnixDomainSocketEndPoint($"\0igpt-port-{port}"));
            lock (Reserving)
            {
                Reserved.Add(socket);
            }

            return true;
        }
        catch (SocketException)
        {
            socket.Dispose();
            return false;
        }
    }

    static bool IsFree(IPEndPoint endpoint)
    {
        if (endpoint.Port > IPEndPoint.MaxPort)
        {
            return false;
        }

        try
        {
            using var listener = new TcpListener(endpoint);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
