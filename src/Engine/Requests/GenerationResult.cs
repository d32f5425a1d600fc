namespace IgptCluster.Engine.Requests;

/// <summary>How a generation ended.</summary>
/// <param name="Reason">Why.</param>
/// <param name="Message">For <see cref="FinishReason.Failed"/> what went wrong; else empty.</param>
/// <param name="Queue">From submission to a KV slot.</param>
/// <param name="Prefill">From the slot to the first new token.</param>
/// <param name="Decode">From the first new token to the last.</param>
public sealed record GenerationResult(FinishReason Reason, string Message, TimeSpan Queue, TimeSpan Prefill, TimeSpan Decode)
{
    /// <summary>From submission to the first new token.</summary>
    public TimeSpan FirstToken => Queue + Prefill;
}
