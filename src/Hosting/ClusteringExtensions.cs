using System.ComponentModel.DataAnnotations;
using System.Globalization;
using System.Net;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;
using Orleans.Configuration;

namespace IgptCluster.Hosting;

/// <summary>Clustering from configuration.</summary>
public static class ClusteringExtensions
{
    /// <summary>Reads and checks a section of the configuration.</summary>
    /// <typeparam name="T">Options type; its defaults hold where the section is silent.</typeparam>
    /// <param name="configuration">The process's configuration.</param>
    /// <param name="section">Section path.</param>
    /// <exception cref="ValidationException">Values break rules: all are named, with setting, rule and value.</exception>
    public static T Read<T>(this IConfiguration configuration, string section)
        where T : class, new()
    {
        var broken = new List<ValidationResult>();
        T options = Bind<T>(configuration, section);
        return Validator.TryValidateObject(options, new(options), broken, validateAllProperties: true)
            ? options
            : throw new ValidationException(string.Join("; ", broken.Select(one => Describe(one, options, section))));
    }

    static T Bind<T>(IConfiguration configuration, string section)
        where T : class, new()
    {
        try
        {
            return configuration.GetSection(section).Get<T>() ?? new T();
        }
        catch (InvalidOperationException failure)
        {
            // The binder names setting, value and the type it must have.
            throw new ValidationException(failure.Message, failure);
        }
    }

    /// <summary>Attributes tell the rule alone: the setting to change and its value are added. Our own rules tell them already.</summary>
    static string Describe(ValidationResult broken, object options, string section)
    {
        string rule = broken.ErrorMessage ?? "breaks a rule";
        if (rule.StartsWith("Igpt:", StringComparison.Ordinal) || broken.MemberNames.FirstOrDefault() is not { } name)
        {
            return rule;
        }

        object? given = options.GetType().GetProperty(name)?.GetValue(options);
        return string.Create(CultureInfo.InvariantCulture, $"{section}:{name}: {rule.TrimEnd('.')}; given '{given}'");
    }

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
}
