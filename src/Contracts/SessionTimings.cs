namespace IgptCluster.Contracts;

/// <summary>Where a session's time went.</summary>
/// <param name="Queue">Waiting for a KV slot.</param>
/// <param name="Prefill">From having a slot to the first new token.</param>
/// <param name="Decode">From the first new token to the last.</param>
/// <param name="FirstToken">From the request to the first new token.</param>
/// <param name="Resumptions">How often the generation was taken up again after a pause or a lost replica.</param>
[GenerateSerializer, Immutable, Alias("igpt.session-timings")]
public sealed record SessionTimings(
    [property: Id(0)] TimeSpan Queue,
    [property: Id(1)] TimeSpan Prefill,
    [property: Id(2)] TimeSpan Decode,
    [property: Id(3)] TimeSpan FirstToken,
    [property: Id(4)] int Resumptions)
{
    /// <summary>These, and those of a further part of the generation; the first token stays the first.</summary>
    /// <param name="more">The further part's.</param>
    public SessionTimings Add(SessionTimings more) => this with
    {
        Queue = Queue + more.Queue,
        Prefill = Prefill + more.Prefill,
        Decode = Decode + more.Decode,
        FirstToken = FirstToken == default ? more.FirstToken : FirstToken,
    };
}
