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
    const string Domain = "igpt";

    /// <summary>The exception to throw to the client.</summary>
    /// <param name="failure">What failed.</param>
    public static RpcException ToRpcException(this IgptException failure)
    {
        var status = new Status { Code = (int)CodeOf(failure.Code), Message = failure.Message };
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
        yield return new ErrorInfo { Domain = Domain, Reason = Reason(failure.Code) };
        if (failure.Code == IgptErrorCode.InvalidArgument)
        {
            FieldViolation[] broken = failure.Violations.Length > 0 ? failure.Violations : [new FieldViolation(failure.Field, failure.Message)];
            yield return new BadRequest
            {
                FieldViolations = { broken.Select(one => new BadRequest.Types.FieldViolation { Field = one.Field, Description = one.Message }) },
            };
        }

        if ((failure.RetryAfter ?? DefaultRetry(failure.Code)) is { } delay)
        {
            yield return new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) };
        }
    }

    /// <summary>The contract promises a delay wherever trying again may help.</summary>
    static TimeSpan? DefaultRetry(IgptErrorCode code) =>
        code is IgptErrorCode.Overloaded or IgptErrorCode.NoReplica or IgptErrorCode.Draining or IgptErrorCode.StoreUnavailable ? TimeSpan.FromSeconds(2) : null;

    /// <summary>UPPER_SNAKE_CASE of the enum's name, as ErrorInfo asks.</summary>
    static string Reason(IgptErrorCode code) =>
        string.Concat(code.ToString().Select((letter, i) => i > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{char.ToUpperInvariant(letter)}"));
}
