using System.Globalization;
using Google.Rpc;
using Grpc.Core;
using IgptCluster.Gateway.Errors;
using Microsoft.AspNetCore.Mvc;

namespace IgptCluster.Gateway.Http.Problems;

/// <summary>Failures as RFC 9457 problem details. <c>code</c> is the gRPC status; <c>field</c>, <c>rule</c>, <c>value</c> and <c>cure</c> are there where they are known.</summary>
internal static class Problem
{
    /// <summary>The member that holds each broken rule, where there are several.</summary>
    internal const string Violations = "violations";

    const string StoreFull = "STORE_FULL";
    const string RetryAfter = "retryAfter";

    /// <summary>What a problem can hold, for its description.</summary>
    internal static IReadOnlyList<(string Name, bool IsNumber, string What)> Members { get; } =
    [
        ("type", false, "A reference for the HTTP status."),
        ("title", false, "The HTTP status's name."),
        ("status", true, "The HTTP status."),
        ("detail", false, "The whole message."),
        ("code", false, "The gRPC status, such as INVALID_ARGUMENT."),
        ("reason", false, "What exactly, where the code can mean several things."),
        ("field", false, "The field, header or parameter at fault."),
        ("rule", false, "The rule that is broken."),
        ("value", false, "What was given."),
        ("cure", false, "What to do."),
        (Violations, false, "Field, rule, value and cure of each broken rule, where there are several."),
        (RetryAfter, true, "Seconds after which to try again, where that may help."),
    ];

    /// <summary>A failed call.</summary>
    /// <param name="failure">The call's status, with its details.</param>
    public static ProblemDetails Of(RpcException failure) =>
        Of(failure.GetRpcStatus() ?? new Google.Rpc.Status { Code = (int)failure.StatusCode, Message = failure.Status.Detail });

    /// <summary>A failed call.</summary>
    /// <param name="status">Its status, with its details.</param>
    public static ProblemDetails Of(Google.Rpc.Status status)
    {
        ErrorInfo? info = status.GetDetail<ErrorInfo>();
        ProblemDetails problem = Of(HttpStatusOf((StatusCode)status.Code, info?.Reason), (StatusCode)status.Code, status.Message);
        BrokenField[] broken = [.. (status.GetDetail<BadRequest>()?.FieldViolations ?? []).Select(one => new BrokenField(one.Field, BrokenRule.Parse(one.Description, one.Field)))];
        BrokenField first = broken.Length > 0 ? broken[0] : new BrokenField(info?.Metadata.GetValueOrDefault(ErrorStatus.FieldKey) ?? "", BrokenRule.Parse(status.Message));
        Add(problem, "reason", info?.Reason == problem.Extensions["code"] as string ? null : info?.Reason);
        Add(problem, "field", first.Field);
        Add(problem, "rule", first.Broken.Rule);
        Add(problem, "value", first.Broken.Value);
        Add(problem, "cure", first.Broken.Cure);
        if (broken.Length > 1)
        {
            problem.Extensions[Violations] = broken.Select(one => new { one.Field, one.Broken.Rule, one.Broken.Value, one.Broken.Cure });
        }

        if (status.GetDetail<RetryInfo>() is { } retry)
        {
            problem.Extensions[RetryAfter] = Math.Max(1, (int)Math.Ceiling(retry.RetryDelay.ToTimeSpan().TotalSeconds));
        }

        return problem;
    }

    /// <summary>A refusal that has an HTTP status of its own.</summary>
    /// <param name="httpStatus">HTTP status.</param>
    /// <param name="message">Rule, given value and cure.</param>
    /// <param name="field">The header or parameter at fault; empty if none.</param>
    public static ProblemDetails Of(int httpStatus, string message, string field = "")
    {
        ProblemDetails problem = Of(httpStatus, CodeOf(httpStatus), message);
        BrokenRule broken = BrokenRule.Parse(message, field);
        Add(problem, "field", field);
        Add(problem, "rule", broken.Rule);
        Add(problem, "value", broken.Value);
        Add(problem, "cure", broken.Cure);
        return problem;
    }

    /// <summary>Answers with a problem; nothing of the response has been sent yet.</summary>
    /// <param name="context">The request.</param>
    /// <param name="problem">What is wrong.</param>
    public static Task WriteAsync(HttpContext context, ProblemDetails problem)
    {
        if (Delay(problem) is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        context.Response.ContentLength = null;
        return TypedResults.Problem(For(context, problem)).ExecuteAsync(context);
    }

    /// <summary>The problem with what the clients of its route look for.</summary>
    /// <param name="context">The request.</param>
    /// <param name="problem">What is wrong.</param>
    public static ProblemDetails For(HttpContext context, ProblemDetails problem)
    {
        context.GetEndpoint()?.Metadata.GetMetadata<IProblemDialect>()?.Translate(problem);
        return problem;
    }

    /// <summary>Seconds after which to try again; null if that does not help.</summary>
    /// <param name="problem">What is wrong.</param>
    public static int? Delay(ProblemDetails problem) => problem.Extensions.TryGetValue(RetryAfter, out object? seconds) ? (int?)seconds : null;

    static ProblemDetails Of(int httpStatus, StatusCode code, string message) => new()
    {
        Status = httpStatus,
        Title = Title(httpStatus),
        Detail = message,
        Extensions = { ["code"] = NameOf(code) },
    };

    static string Title(int httpStatus)
    {
        string phrase = Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(httpStatus);
        return phrase.Length > 0 ? phrase : $"HTTP {httpStatus}";
    }

    static void Add(ProblemDetails problem, string name, string? value)
    {
        if (!string.IsNullOrEmpty(value))
        {
            problem.Extensions[name] = value;
        }
    }

    /// <summary>The HTTP status of each gRPC status, as google.rpc.Code has it; nothing becomes better by waiting for a store that is full.</summary>
    static int HttpStatusOf(StatusCode code, string? reason) => code switch
    {
        StatusCode.InvalidArgument or StatusCode.FailedPrecondition or StatusCode.OutOfRange => StatusCodes.Status400BadRequest,
        StatusCode.Unauthenticated => StatusCodes.Status401Unauthorized,
        StatusCode.PermissionDenied => StatusCodes.Status403Forbidden,
        StatusCode.NotFound => StatusCodes.Status404NotFound,
        StatusCode.Aborted or StatusCode.AlreadyExists => StatusCodes.Status409Conflict,
        StatusCode.ResourceExhausted => reason == StoreFull ? StatusCodes.Status507InsufficientStorage : StatusCodes.Status429TooManyRequests,
        StatusCode.Cancelled => StatusCodes.Status499ClientClosedRequest,
        StatusCode.Unimplemented => StatusCodes.Status501NotImplemented,
        StatusCode.Unavailable => StatusCodes.Status503ServiceUnavailable,
        StatusCode.DeadlineExceeded => StatusCodes.Status504GatewayTimeout,
        _ => StatusCodes.Status500InternalServerError,
    };

    static StatusCode CodeOf(int httpStatus) => httpStatus switch
    {
        StatusCodes.Status401Unauthorized => StatusCode.Unauthenticated,
        StatusCodes.Status403Forbidden => StatusCode.PermissionDenied,
        StatusCodes.Status404NotFound => StatusCode.NotFound,
        StatusCodes.Status405MethodNotAllowed => StatusCode.Unimplemented,
        StatusCodes.Status413PayloadTooLarge => StatusCode.ResourceExhausted,
        >= StatusCodes.Status500InternalServerError => StatusCode.Internal,
        _ => StatusCode.InvalidArgument,
    };

    /// <summary>UPPER_SNAKE_CASE, as google.rpc.Code spells it.</summary>
    static string NameOf(StatusCode code) => code == StatusCode.OK ? "OK"
        : string.Concat(code.ToString().Select((letter, i) => i > 0 && char.IsUpper(letter) ? $"_{letter}" : $"{char.ToUpperInvariant(letter)}"));

    sealed record BrokenField(string Field, BrokenRule Broken);
}
