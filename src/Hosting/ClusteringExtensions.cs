using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Orleans.Configuration;

namespace IgptCluster.Hosting;

/// <summary>Clustering from configuration.</summary>
public static class ClusteringExtensions
{
    /// <summary>Reads and checks a section of the configuration.</summary>
    /// <typeparam name="T">Options type; its defaults hold where the section is silent.</typeparam>
    /// <param name="configuration">The process's configuration.</param>
    /// <param name="section">Section path.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">A value breaks its rule.</exception>
    public static T Read<T>(this IConfiguration configuration, string section)
        where T : class, new()
    {
        T options = configuration.GetSection(section).Get<T>() ?? new T();
        System.ComponentModel.DataAnnotations.Validator.ValidateObject(options, new(options), validateAllProperties: true);
        return options;
    }

    /// <summary>The silo's name: as configured, else machine and port.</summary>
    /// <param name="cluster">Clustering options.</param>
    public static string SiloName(this ClusterOptions cluster) => cluster.Name.Length > 0
        ? cluster.Name
        : string.Create(CultureInfo.InvariantCulture, $"{Environment.MachineName}-{cluster.SiloPort}");

    /// <summary>Joins a cluster on this machine's loopback.</summary>
    /// <param name="silo">The silo being built.</param>
    /// <param name="cluster">Clustering options.</param>
    public static ISiloBuilder UseIgptClustering(this ISiloBuilder silo, ClusterOptions cluster)
    {
        IPEndPoint? primary = cluster.PrimaryPort is { } port ? new IPEndPoint(IPAddress.Loopback, port) : null;
        silo.UseLocalhostClustering(cluster.SiloPort, cluster.ClientPort, primary, serviceId: "igpt", cluster.ClusterId);
        silo.Configure<SiloOptions>(options => options.SiloName = cluster.SiloName());

        // Dead silos are noticed in about a second (measured: FINDINGS of the design), not in fifteen.
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.ProbeTimeout = TimeSpan.FromSeconds(1);
            options.NumMissedProbesLimit = 3;
            options.TableRefreshTimeout = TimeSpan.FromSeconds(3);
            options.IAmAliveTablePublishTimeout = TimeSpan.FromSeconds(3);
            options.NumMissedTableIAmAliveLimit = 3;
            options.NumVotesForDeathDeclaration = 2;
        });
        return silo;
    }
}
