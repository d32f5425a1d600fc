using System.ComponentModel.DataAnnotations;
using System.Net;
using IgptCluster.Contracts;

namespace IgptCluster.Hosting;

/// <summary>How this process joins its cluster. Section <c>Igpt:Cluster</c>.</summary>
public sealed class ClusterOptions : IValidatableObject
{
    /// <summary>This silo's name, unique in the cluster. Default: machine name and silo port.</summary>
    public string Name { get; set; } = "";

    /// <summary>IP address that other silos reach this one at, where the membership is in a store. Default 127.0.0.1; without a store always so.</summary>
    public string Address { get; set; } = "127.0.0.1";

    /// <summary>TCP port other silos reach this one at; 1 … 65535. Absent: the first free one from 11111 on.</summary>
    [Range(1, 65535)]
    public int SiloPort { get; set; } = 11111;

    /// <summary>TCP port for Orleans clients; 1 … 65535, default 0: none, for nothing of this project is one.</summary>
    [Range(0, 65535)]
    public int ClientPort { get; set; }

    /// <summary>
    /// TCP port at which other members see whether this process is there: they keep a connection open, and notice at once when the process has ended. Without it Orleans' probes notice after
    /// more than a second. 0 … 65535, default 0: a free one.
    /// </summary>
    [Range(0, 65535)]
    public int PresencePort { get; set; }

    /// <summary>Silo port of the silo that keeps the membership; absent: this one does. Nothing where the membership is in a store.</summary>
    [Range(1, 65535)]
    public int? PrimaryPort { get; set; }

    /// <summary>Cluster id: silos of another id are not joined. 1 … 64 letters, digits, '.', '_' or '-', a letter or digit first. Default <c>igpt</c>.</summary>
    public string ClusterId { get; set; } = "igpt";

    /// <summary>
    /// How long a member whose connections stay and which says nothing at all, because it is frozen or cut off, counts as alive; 1 … 60 s, default 3 s. One that is killed is noticed
    /// sooner. Longer where members share processors with much else: one that gets none for that long is declared dead and ends.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:01:00")]
    public TimeSpan SilenceLimit { get; set; } = TimeSpan.FromSeconds(3);

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IPAddress.TryParse(Address, out _))
        {
            yield return new ValidationResult($"Igpt:Cluster:Address must be an IP address such as 10.0.0.7; given '{Address}'", [nameof(Address)]);
        }

        if (!IdRule.IsKeptBy(ClusterId))
        {
            yield return new ValidationResult($"Igpt:Cluster:ClusterId: must be {IdRule.Words}; given '{ClusterId}'", [nameof(ClusterId)]);
        }
    }
}
