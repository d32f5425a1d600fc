using Microsoft.Extensions.Configuration;

namespace IgptCluster.Hosting.Settings;

/// <summary>The settings that silo and gateway have in common, read and checked in one way.</summary>
/// <param name="Cluster">How the process joins its cluster; its silo port is chosen.</param>
/// <param name="Listen">Where it answers; its ports are chosen.</param>
/// <param name="Store">Where sessions are kept.</param>
/// <param name="Replicas">What a silo serves; a gateway, which may share a silo's environment, only checks it.</param>
public sealed record NodeSettings(ClusterOptions Cluster, ListenOptions Listen, StoreOptions Store, ReplicaOptions Replicas)
{
    /// <summary>Reads them, and chooses the ports that nobody gave.</summary>
    /// <param name="configuration">Files, environment and command line.</param>
    /// <param name="others">Reads the sections of other parts, so that all is checked together.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">Names are unknown or values break rules: all are told at once, a line each.</exception>
    public static NodeSettings Read(IConfiguration configuration, Action<SettingsReader> others)
    {
        var reader = new SettingsReader(configuration);
        var settings = new NodeSettings(
            reader.Read<ClusterOptions>("Igpt:Cluster"), reader.Read<ListenOptions>("Igpt:Listen"), reader.Read<StoreOptions>("Igpt:Store"), reader.Read<ReplicaOptions>("Igpt"));
        others(reader);
        reader.RequireSound();
        settings.ChoosePorts(reader);
        return settings;
    }

    /// <summary>
    /// A second process of a machine takes the next free ports. Where clients look, the first process keeps the ports that they know, or fails if another program has them.
    /// </summary>
    void ChoosePorts(SettingsReader given)
    {
        if (!given.IsGiven("Igpt:Cluster:SiloPort"))
        {
            Cluster.SiloPort = FreePort.AtOrAfter(Cluster.SiloPort, "0.0.0.0");
        }

        bool joins = Cluster.PrimaryPort is not null || Store.Address.Length > 0;
        if (joins && !given.IsGiven("Igpt:Listen:Grpc"))
        {
            Listen.Grpc = FreePort.AtOrAfter(Listen.Grpc, except: Listen.Http);
        }

        if (joins && !given.IsGiven("Igpt:Listen:Http"))
        {
            Listen.Http = FreePort.AtOrAfter(Listen.Http, except: Listen.Grpc);
        }
    }
}
