using System.Text.Encodings.Web;
using System.Text.Json;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;

namespace IgptCluster.Cli;

/// <summary>Failures as an exit status and one or more lines.</summary>
internal static class Failure
{
    static readonly JsonSerializerOptions AsIs = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Explains a failure.</summary>
    /// <param name="failure">What was thrown.</param>
    /// <param name="address">The gateways that were called.</param>
    internal static (int Code, string Message) Explain(Exception failure, string address) => failure switch
    {
        CliException known => (known.ExitCode, known.Message),
        OperationCanceledException => (ExitCode.Interrupted, "interrupted"),
        RpcException call => (CodeOf(call), Describe(call, address)),
        IOException or UnauthorizedAccessException => (ExitCode.BadInput, failure.Message),
        _ => (ExitCode.Unexpected, failure.ToString()),
    };

    /// <summary>An error as one JSON document on one line.</summary>
    /// <param name="code">The exit status.</param>
    /// <param name="message">What, and the cure.</param>
    internal static string ToJson(int code, string message) => JsonSerializer.Serialize(new { error = new { exit_status = code, message } }, AsIs);

    static int CodeOf(RpcException call) => call.StatusCode switch
    {
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.OutOfRange => ExitCode.BadInput,
        StatusCode.ResourceExhausted when IsTooLarge(call) => ExitCode.BadInput,
        StatusCode.NotFound => ExitCode.NotFound,
        _ when IsNoGrpc(call) => ExitCode.Unavailable,
        StatusCode.Aborted or StatusCode.DataLoss => ExitCode.Incomplete,
        StatusCode.Unavailable or StatusCode.ResourceExhausted or StatusCode.DeadlineExceeded => ExitCode.Unavailable,
        StatusCode.Cancelled => ExitCode.Interrupted,
        _ => ExitCode.Unexpected,
    };

    /// <summary>Somebody answers, but not by HTTP/2: a gateway's HTTP port, or one of another program.</summary>
    static bool IsNoGrpc(RpcException call) => call.GetRpcStatus() is null && call.Status.Detail.Contains("HTTP/2", StringComparison.Ordinal);

    /// <summary>gRPC itself, on either side, refuses messages by size; what the gateway refuses has an ErrorInfo.</summary>
    static bool IsTooLarge(RpcException call) => call.StatusCode == StatusCode.ResourceExhausted && call.GetRpcStatus()?.GetDetail<ErrorInfo>() is null;

    static string Describe(RpcException call, string address)
    {
        Google.Rpc.Status? status = call.GetRpcStatus();
        if (status is null && call.StatusCode == StatusCode.Unavailable && !IsNoGrpc(call))
        {
            return $"cannot reach {address}: is a gateway running there? ({call.Status.Detail})";
        }

        if (status is null && call.StatusCode == StatusCode.Cancelled)
        {
            return "interrupted";
        }

        if (call.StatusCode == StatusCode.DeadlineExceeded)
        {
            return "no answer within --timeout: give it more seconds, or none";
        }

        if (IsTooLarge(call))
        {
            return $"a message is too large ({call.Status.Detail}): give fewer or smaller images at once, or raise the gateway's Igpt:Gateway:MaxRequestBytes";
        }

        if (call.StatusCode == StatusCode.Unimplemented)
        {
            return $"{address} does not serve this ({call.Status.Detail})";
        }

        if (IsNoGrpc(call))
        {
            return $"{address} speaks no HTTP/2: name the gateway's port for gRPC, by default 5081, with https:// where it has TLS";
        }

        string retry = status?.GetDetail<RetryInfo>() is { RetryDelay: { Seconds: >= 0 and <= Duration.MaxSeconds, Nanos: >= 0 and < Duration.NanosecondsPerSecond } delay } ? $" (try again in {delay.ToTimeSpan().TotalSeconds:0.#} s)" : "";
        return $"{OptionNames.InUsersWords(call.Status.Detail, status)}{retry}";
    }
}
