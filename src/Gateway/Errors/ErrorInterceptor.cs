using Grpc.Core;
using Grpc.Core.Interceptors;
using IgptCluster.Contracts;
using IgptCluster.Imaging;

namespace IgptCluster.Gateway.Errors;

/// <summary>Turns every failure of a call into a status the client can act on; what is a bug gets an id that is in the log, and no stack trace.</summary>
internal sealed partial class ErrorInterceptor(ILogger<ErrorInterceptor> logger) : Interceptor
{
    static readonly TimeSpan LostRetry = TimeSpan.FromSeconds(1);

    public override async Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            return await continuation(request, context);
        }
        catch (Exception failure)
        {
            throw Translate(failure, context);
        }
    }

    public override async Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request,
        IServerStreamWriter<TResponse> responseStream,
        ServerCallContext context,
        ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        try
        {
            await continuation(request, responseStream, context);
        }
        catch (Exception failure)
        {
            throw Translate(failure, context);
        }
    }

    RpcException Translate(Exception failure, ServerCallContext context)
    {
        if (failure is RpcException already)
        {
            return already;
        }

        IgptException known = context.CancellationToken.IsCancellationRequested ? GaveUp(context) : failure switch
        {
            IgptException { Code: not IgptErrorCode.Internal } igpt => igpt,
            ImagingException image => new IgptException(IgptErrorCode.InvalidArgument, image.Message),
            TimeoutException => new IgptException(IgptErrorCode.NoReplica, "a silo did not answer in time: try again") { RetryAfter = LostRetry },
            _ when Passing.Is(failure) =>
                new IgptException(IgptErrorCode.NoReplica, "the silo that served this was lost, or the store is away: try again, another may serve it") { RetryAfter = LostRetry },
            _ => Bug(failure, context.Method),
        };
        return known.ToRpcException();
    }

    static IgptException GaveUp(ServerCallContext context) => context.Deadline <= DateTime.UtcNow
        ? new IgptException(IgptErrorCode.DeadlineExceeded, "the call's deadline passed; its KV slots are free")
        : new IgptException(IgptErrorCode.Cancelled, "the caller went away; its KV slots are free");

    /// <summary>Logs a failure that is a bug.</summary>
    /// <param name="failure">The failure.</param>
    /// <param name="method">What was called.</param>
    /// <returns>What the caller is told: an id that is in the log.</returns>
    internal IgptException Bug(Exception failure, string method)
    {
        string id = Guid.NewGuid().ToString("N")[..12];
        LogBug(failure, id, method);
        return new IgptException(IgptErrorCode.Internal, $"internal error {id}: the server's log has the details under this id");
    }

    [LoggerMessage(2001, LogLevel.Error, "Internal error {ErrorId} in {Method}")]
    partial void LogBug(Exception failure, string errorId, string method);
}
