using Google.Protobuf.WellKnownTypes;
using IgptCluster.Contracts;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Messages;

/// <summary>Sessions as the protocol spells them.</summary>
internal static class SessionMessages
{
    /// <summary>A session.</summary>
    /// <param name="session">As its grain sees it.</param>
    public static Session ToMessage(this SessionDescription session) => new()
    {
        SessionId = session.Id.ToString(),
        Model = session.Spec.Model,
        State = session.State switch
        {
            SessionStatus.Queued => SessionState.Queued,
            SessionStatus.Running => SessionState.Running,
            SessionStatus.Paused => SessionState.Paused,
            SessionStatus.Finished => SessionState.Finished,
            _ => SessionState.Unspecified,
        },
        Reason = session.Result is { } result ? ToReason(result.End) : FinishReason.Unspecified,
        Position = (uint)session.Position,
        PromptTokens = (uint)session.Spec.Prompt.Length,
        Sampling = session.Spec.Sampling.ToMessage(),
        Replica = session.Replica?.ToString() ?? "",
        Created = session.Created.ToTimestamp(),
        Expires = session.Expires?.ToTimestamp(),
        Width = (uint)session.Spec.Width,
        Height = (uint)session.Spec.Height,
        Sample = (uint)session.Spec.Sample,
        Parent = session.Parent?.ToString() ?? "",
        Rewinds = (uint)session.Rewinds,
    };

    /// <summary>Sampling parameters, all of them.</summary>
    /// <param name="sampling">As resolved.</param>
    public static SamplingParameters ToMessage(this SamplingSettings sampling) => new()
    {
        Temperature = sampling.Temperature,
        TopK = (uint)sampling.TopK,
        TopP = sampling.TopP,
        Seed = sampling.Seed,
    };

    /// <summary>Timings.</summary>
    /// <param name="timings">As measured.</param>
    public static GenerationTimings ToMessage(this SessionTimings timings) => new()
    {
        Queue = timings.Queue.ToDuration(),
        Prefill = timings.Prefill.ToDuration(),
        Decode = timings.Decode.ToDuration(),
        FirstToken = timings.FirstToken.ToDuration(),
        Resumptions = (uint)timings.Resumptions,
    };

    /// <summary>Why a session ended.</summary>
    /// <param name="end">As its grain has it.</param>
    public static FinishReason ToReason(SessionEnd end) => end switch
    {
        SessionEnd.Completed => FinishReason.Completed,
        SessionEnd.Length => FinishReason.Length,
        SessionEnd.Cancelled => FinishReason.Cancelled,
        SessionEnd.Expired => FinishReason.Expired,
        _ => FinishReason.Failed,
    };
}
