using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace IgptCluster.Client.Retries;

/// <summary>What a failed call means for the next attempt.</summary>
/// <param name="Remedy">What helps.</param>
/// <param name="Delay">How long the server asks to wait; null if it does not say.</param>
internal readonly record struct Verdict(Remedy Remedy, TimeSpan? Delay)
{
    /// <summary>Judges a failure that neither the caller's cancellation nor its deadline caused.</summary>
    /// <param name="failure">What the call ended with.</param>
    internal static Verdict Of(RpcException failure)
    {
        TimeSpan? delay = failure.GetRpcStatus()?.GetDetail<RetryInfo>()?.RetryDelay is { Seconds: >= 0 and <= Duration.MaxSeconds, Nanos: >= 0 and < Duration.NanosecondsPerSecond } asked ? asked.ToTimeSpan() : null;
        return failure.StatusCode switch
        {
            StatusCode.Unavailable => new Verdict(Remedy.MoveOn, delay),

            // Without a delay it is about the size of a message.
            StatusCode.ResourceExhausted when delay is not null => new Verdict(Remedy.Wait, delay),

            // A server that stops cancels what it does, and what fails then without a status is unknown; a gateway gives every other failure one.
            StatusCode.Cancelled or StatusCode.Unknown => new Verdict(Remedy.MoveOn, delay),

            // A torn connection; what a gateway says itself is a bug, which would only happen again.
            StatusCode.Internal when !IsFromServer(failure) => new Verdict(Remedy.MoveOn, delay),
            _ => new Verdict(Remedy.None, delay),
        };
    }

    /// <summary>Whether a server said so; what a torn or refused connection throws is kept by gRPC as the cause.</summary>
    internal static bool IsFromServer(RpcException failure) => failure.Status.DebugException is null;

    /// <summary>Whether the request may have had its effect: not if nobody took the connection.</summary>
    internal static bool MayHaveArrived(RpcException failure) =>
        failure.Status.DebugException is not HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError };
}
