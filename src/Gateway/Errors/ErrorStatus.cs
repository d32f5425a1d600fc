using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using IgptCluster.Contracts;
using Status = Google.Rpc.Status;

namespace IgptCluster.Gateway.Errors;

/// <summary>The one place where a failure becomes a gRPC status with its google.rpc details.</summary>
internal static class ErrorStatus
{
    /// <summary>The key of ErrorInfo.metadata under which the field at fault is named where no rule of it is broken: an unknown model, head or session.</summary>
    internal const string FieldKey = "field";

    const string Domain = "igpt";

    // A status travels in a response's trailers twice: its message as it is, and all of it in base64. HTTP/2 implementations take 8 KiB of headers at least, some no more, and what is
    // too large arrives as another error. Together these stay below 4 KiB.
    const int MaxMessageBytes = 1000;
    const int MaxViolationBytes = 800;
    const int MaxFieldBytes = 100;

    /// <summary>The exception to throw to the client.</summary>
    /// <param name="failure">What failed.</param>
    public static RpcException ToRpcException(this IgptException failure)
    {
        var status = new Status { Code = (int)CodeOf(failure.Code), Message = StatusText.Fit(failure.Message, MaxMessageBytes) };
        status.Details.AddRange(Details(failure).Select(Any.Pack));
        return status.ToRpcException();
    }

    /// <summary>The gRPC status of each failure.</summary>
    /// <param name="code">The failure.</param>
    /// <exception cref="ArgumentOutOfRangeException">A value without a status: a bug.</exception>
    public static StatusCode CodeOf(IgptErrorCode code) => code switch
    {
        IgptErrorCode.Internal => StatusCode.Internal,
        IgptErrorCode.InvalidArgument => StatusCode.InvalidArgument,
        IgptErrorCode.ModelNotFound or IgptErrorCode.HeadNotFound or IgptErrorCode.SessionNotFound => StatusCode.NotFound,
        IgptErrorCode.Overloaded or IgptErrorCode.StoreFull => StatusCode.ResourceExhausted,
        IgptErrorCode.DataLoss => StatusCode.DataLoss,
        IgptErrorCode.NoReplica or IgptErrorCode.Draining or IgptErrorCode.StoreUnavailable => StatusCode.Unavailable,
        IgptErrorCode.DeadlineExceeded => StatusCode.DeadlineExceeded,
        IgptErrorCode.Cancelled => StatusCode.Cancelled,
        IgptErrorCode.SessionRewound => StatusCode.Aborted,
        IgptErrorCode.Unsupported or IgptErrorCode.HeadReadOnly => StatusCode.FailedPrecondition,
        _ => throw new ArgumentOutOfRangeException(nameof(code), code, "an error code without a gRPC status"),
    };

    static IEnumerable<IMessage> Details(IgptException failure)
    {
        var info = new ErrorInfo { Domain = Domain, Reason = Reason(failure.Code) };
        if (failure.Field.Length > 0 && failure.Code != IgptErrorCode.InvalidArgument)
        {
            info.Metadata[FieldKey] = StatusText.Fit(failure.Field, MaxFieldBytes);
        }

        yield return info;
        if (failure.Code == IgptErrorCode.InvalidArgument)
        {
            yield return new BadRequest { FieldViolations = { Violations(failure) } };
        }

        if ((failure.RetryAfter ?? DefaultRetry(failure.Code)) is { } delay)
        {
            yield return new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) };
        }
    }

    /// <summary>As many of the broken rules as there is room for.</summary>
    static IEnumerable<BadRequest.Types.FieldViolation> Violations(IgptException failure)
    {
        FieldViolation[] broken = failure.Violations.Length > 0 ? failure.Violations : [new FieldViolation(failure.Field, failure.Message)];
        int left = MaxViolationBytes;
        foreach (FieldViolation one in broken)
        {
            var shown = new BadRequest.Types.FieldViolation { Field = StatusText.Fit(one.Field, MaxFieldBytes), Description = StatusText.Fit(one.Message, MaxViolationBytes - MaxFieldBytes) };
            left -= shown.CalculateSize();
            if (left < 0)
            {
                yield break;
            }

            yield return shown;
        }
    }

    /// <summary>The contract promises a delay wherever trying again may help.</summary>
    static TimeSpan? DefaultRetry(IgptErrorCode code) =>
        code is IgptErrorCode.Overloaded or IgptErrorCode.NoReplica or IgptErrorCode.Draining or IgptErrorCode.StoreUnavailable ? TimeSpan.FromSeconds(2) : null;

    /// <summary>UPPER_SNAKE_CASE of the enum's name, as ErrorInfo asks.</summary>
    static string Reason(IgptErrorCode code) =>
        string.Concat(code.ToString().Select((letter, i) => i > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{char.ToUpperInvariant(letter)}"));
}
