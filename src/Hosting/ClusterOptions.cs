using System.ComponentModel.DataAnnotations;

namespace IgptCluster.Hosting;

/// <summary>How this process joins its cluster. Section <c>Igpt:Cluster</c>.</summary>
public sealed class ClusterOptions
{
    /// <summary>This silo's name, unique in the cluster. Default: machine name and silo port.</summary>
    public string Name { get; set; } = "";

    /// <summary>TCP port other silos reach this one at, on loopback; 1 … 65535, default 11111.</summary>
    [Range(1, 65535)]
    public int SiloPort { get; set; } = 11111;

    /// <summary>TCP port for Orleans clients, on loopback; 1 … 65535, default 30000.</summary>
    [Range(1, 65535)]
    public int ClientPort { get; set; } = 30000;

    /// <summary>Silo port of the silo that keeps the membership; absent: this one does. Localhost clustering knows no other store.</summary>
    [Range(1, 65535)]
    public int? PrimaryPort { get; set; }

    /// <summary>Cluster id: silos of another id are not joined. Default <c>igpt</c>.</summary>
    [Required]
    public string ClusterId { get; set; } = "igpt";
}
