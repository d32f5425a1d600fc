using Google.Protobuf;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Http.Problems;
using Metadata = Grpc.Core.Metadata;

namespace IgptCluster.Gateway.Errors;

/// <summary>
/// Refuses requests that fail before a method is called, each alone and by its rule: headers that are too large, which would otherwise end the connection with all calls on it, and messages
/// that are not of the protocol. Interceptors see neither.
/// </summary>
/// <param name="next">What answers the request.</param>
/// <param name="logger">Tells what is neither.</param>
internal sealed partial class UnreadableRequests(RequestDelegate next, ILogger<UnreadableRequests> logger)
{
    /// <summary>What Kestrel reads of a request's headers before it closes the connection: so much is read so that the request alone is refused.</summary>
    internal const int ReadHeaderBytes = 1 << 20;

    /// <summary>Headers that Kestrel reads at most, likewise.</summary>
    internal const int ReadHeaders = 10_000;

    const int MaxHeaderBytes = 32 << 10;
    const int MaxHeaders = 100;
    const string Grpc = "application/grpc";

    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    public async Task InvokeAsync(HttpContext context)
    {
        if (BrokenRule(context.Request.Headers) is { } rule)
        {
            await RefuseAsync(context, rule);
            return;
        }

        await next(context);
        switch (context.Features.Get<IServerCallContextFeature>()?.ServerCallContext.Status.DebugException)
        {
            case InvalidProtocolBufferException failure when !context.Response.HasStarted:
                SetStatus(context.Response.Headers, $"the message is not one of the protocol (protos/igpt/v1) for {context.Request.Path}: {failure.Message}");
                break;
            case { } failure and not OperationCanceledException:
                LogFailed(failure, context.Request.Path);
                break;
            case null when context.Response is { HasStarted: false, StatusCode: StatusCodes.Status404NotFound } && IsGrpc(context):
                context.Response.StatusCode = StatusCodes.Status200OK;
                context.Response.ContentType = context.Request.ContentType;
                SetStatus(context.Response.Headers, StatusCode.Unimplemented, $"there is no rpc {Echo.Quoted(context.Request.Path)}: server reflection lists all services");
                break;
        }
    }

    static string? BrokenRule(IHeaderDictionary headers)
    {
        (long bytes, int count) = (0, 0);
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in headers)
        {
            foreach (string? value in values)
            {
                bytes += name.Length + (value?.Length ?? 0);
                count++;
            }
        }

        return bytes > MaxHeaderBytes ? $"a request's headers must have at most {MaxHeaderBytes:N0} characters together; given {bytes:N0}: send less metadata"
            : count > MaxHeaders ? $"a request must have at most {MaxHeaders} headers; given {count}: send less metadata"
            : null;
    }

    static Task RefuseAsync(HttpContext context, string rule)
    {
        if (IsGrpc(context))
        {
            context.Response.ContentType = Grpc;
            SetStatus(context.Response.Headers, rule);
            return Task.CompletedTask;
        }

        return Problem.WriteAsync(context, Problem.Of(StatusCodes.Status431RequestHeaderFieldsTooLarge, rule));
    }

    static bool IsGrpc(HttpContext context) => context.Request.ContentType?.StartsWith(Grpc, StringComparison.Ordinal) ?? false;

    static void SetStatus(IHeaderDictionary headers, string rule)
    {
        RpcException refusal = new IgptException(IgptErrorCode.InvalidArgument, rule).ToRpcException();
        SetStatus(headers, refusal.StatusCode, refusal.Status.Detail);
        foreach (Metadata.Entry entry in refusal.Trailers)
        {
            headers[entry.Key] = entry.IsBinary ? Convert.ToBase64String(entry.ValueBytes) : entry.Value;
        }
    }

    // gRPC over HTTP/2, "Trailers-Only": a response that is a status alone.
    static void SetStatus(IHeaderDictionary headers, StatusCode code, string message)
    {
        headers["grpc-status"] = $"{(int)code}";
        headers["grpc-message"] = Uri.EscapeDataString(message);
    }

    [LoggerMessage(2002, LogLevel.Error, "The call of {Path} failed outside of its method")]
    partial void LogFailed(Exception failure, string path);
}
