using System.Globalization;
using System.Net;
using System.Net.Sockets;
using IgptCluster.Hosting.Presence;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace IgptCluster.Hosting;

/// <summary>Clustering from configuration.</summary>
public static class ClusteringExtensions
{
    /// <summary>Where a member's presence port is, in its silo metadata, as IP address and port.</summary>
    const string PresenceKey = "igpt.presence";

    /// <summary>The silo's name: as configured, else machine and port.</summary>
    /// <param name="cluster">Clustering options.</param>
    public static string SiloName(this ClusterOptions cluster) => cluster.Name.Length > 0
        ? cluster.Name
        : string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}-{cluster.SiloPort}");

    /// <summary>Joins a cluster.</summary>
    /// <param name="silo">The silo being built.</param>
    /// <param name="cluster">Clustering options.</param>
    /// <param name="store">Where the membership is kept; null: with the first silo, on this machine's loopback.</param>
    public static ISiloBuilder UseIgptClustering(this ISiloBuilder silo, ClusterOptions cluster, string? store = null)
    {
        // Reminders are kept by service: clusters that share a store share none of them.
        string service = $"igpt-{cluster.ClusterId}";
        if (store is null)
        {
            IPEndPoint? primary = cluster.PrimaryPort is { } port ? new IPEndPoint(IPAddress.Loopback, port) : null;
            silo.UseLocalhostClustering(cluster.SiloPort, cluster.ClientPort, primary, service, cluster.ClusterId);
        }
        else
        {
            silo.UseRedisClustering(options => options.ConfigurationOptions = StoreExtensions.Parse(store));
            silo.Configure<Orleans.Configuration.ClusterOptions>(options => (options.ServiceId, options.ClusterId) = (service, cluster.ClusterId));
            silo.ConfigureEndpoints(IPAddress.Parse(cluster.Address), cluster.SiloPort, cluster.ClientPort, listenOnAnyHostAddress: cluster.Address != "127.0.0.1");
        }

        silo.Configure<SiloOptions>(options => options.SiloName = cluster.SiloName());
        UsePresence(silo, cluster, store is null ? IPAddress.Loopback : IPAddress.Parse(cluster.Address));

        // The usual directory ends healthy streams when another silo dies (those whose row that one held), and this one's lease makes what died wait for 30 s.
        // Without a lease two activations of a session may overlap for a moment: the store's version of its record stops the older.
#pragma warning disable ORLEANSEXP003 // still experimental in Orleans 10.4
        silo.AddDistributedGrainDirectory();
#pragma warning restore ORLEANSEXP003
        silo.Configure<GrainDirectoryOptions>(options => options.RangeLeaseDuration = TimeSpan.Zero);

        // Dead silos are noticed in about a second (measured: FINDINGS of the design), not in fifteen. While a connection that stays has had a message within
        // NumMissedProbesLimit times MaxProbeTimeout nobody votes: by default that makes twelve seconds of a silo that is frozen.
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.NumMissedProbesLimit = 3;
            options.MaxProbeTimeout = cluster.SilenceLimit / options.NumMissedProbesLimit;
            options.ProbeTimeout = options.MaxProbeTimeout < TimeSpan.FromSeconds(1) ? options.MaxProbeTimeout : TimeSpan.FromSeconds(1);
            options.TableRefreshTimeout = TimeSpan.FromSeconds(3);
            options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(3);
            options.NumMissedTableIAmAliveLimit = 3;
            options.NumVotesForDeathDeclaration = 2;
        });
        return silo;
    }

    static IPEndPoint? PresenceOf(IServiceProvider services, SiloAddress member) =>
        services.GetRequiredService<ISiloMetadataCache>().GetSiloMetadata(member).Metadata.TryGetValue(PresenceKey, out string? text) && IPEndPoint.TryParse(text, out IPEndPoint? endpoint) ? endpoint : null;

    /// <summary>Members see at once when the process of another one has ended.</summary>
    static void UsePresence(ISiloBuilder silo, ClusterOptions cluster, IPAddress address)
    {
        PresenceListener listener = PresenceListener.Open(IPAddress.IsLoopback(address) ? address : address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, cluster.PresencePort);
        silo.UseSiloMetadata(new Dictionary<string, string> { [PresenceKey] = new IPEndPoint(address, listener.Port).ToString() });
        silo.Services.AddSingleton(_ => listener);
        silo.Services.AddHostedService(services => ActivatorUtilities.CreateInstance<PresenceWatch>(services, (SiloAddress member) => PresenceOf(services, member)));
    }
}
