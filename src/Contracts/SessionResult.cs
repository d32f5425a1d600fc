namespace IgptCluster.Contracts;

/// <summary>How a session ended.</summary>
/// <param name="End">The reason.</param>
/// <param name="Message">For <see cref="SessionEnd.Failed"/> what went wrong; else empty.</param>
/// <param name="Timings">Where the time went.</param>
[GenerateSerializer, Immutable, Alias("igpt.session-result")]
public sealed record SessionResult(
    [property: Id(0)] SessionEnd End,
    [property: Id(1)] string Message,
    [property: Id(2)] SessionTimings Timings);
