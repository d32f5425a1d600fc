using System.Diagnostics;
using IgptCluster.Chaos.Faults;
using IgptCluster.Chaos.Work;

namespace IgptCluster.Chaos.Report;

/// <summary>How long one stream stood still after a fault.</summary>
/// <param name="Session">Whose stream it was.</param>
/// <param name="Node">To whom the fault happened.</param>
/// <param name="At">When it happened (UTC), as the logs have it.</param>
/// <param name="Seconds">How long the pause was.</param>
internal sealed record Pause(string Session, string Node, DateTime At, double Seconds)
{
    internal static Pause Of(Fault fault, Track track, double seconds) => new(track.SessionId, fault.Node, DateTime.UtcNow - Stopwatch.GetElapsedTime(fault.At), seconds);

    public override string ToString() => $"{Seconds:0.0} s in session {Session} after {Node} at {At:HH:mm:ss.fff}";
}
