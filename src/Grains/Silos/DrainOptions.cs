using System.ComponentModel.DataAnnotations;

namespace IgptCluster.Grains.Silos;

/// <summary>How a process leaves the cluster. Section <c>Igpt:Drain</c>.</summary>
public sealed class DrainOptions
{
    /// <summary>
    /// The longest that leaving takes after the process is told to stop: two thirds of it for what is generated here to go on elsewhere, the rest to end. What stops the process for good
    /// must wait longer. 1 s … 1 h, default 30 s.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan Budget { get; set; } = TimeSpan.FromSeconds(30);
}
