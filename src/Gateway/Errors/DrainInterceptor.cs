using Grpc.Core;
using Grpc.Core.Interceptors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Grains.Silos;

namespace IgptCluster.Gateway.Errors;

/// <summary>Sends who comes with work while this gateway leaves to another one; what is being answered is answered, and who only looks is told.</summary>
internal sealed class DrainInterceptor(SiloDrain drain) : Interceptor
{
    // And what takes silos out of service and back: a cluster of one gateway must be able to come back by itself.
    static readonly HashSet<string> LooksOnly = ["Get", "List", "Describe", "Drain", "Undrain", "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata"];

    public override Task<TResponse> UnaryServerHandler<TRequest, TResponse>(
        TRequest request, ServerCallContext context, UnaryServerMethod<TRequest, TResponse> continuation)
    {
        RequireStaying(context);
        return continuation(request, context);
    }

    public override Task ServerStreamingServerHandler<TRequest, TResponse>(
        TRequest request, IServerStreamWriter<TResponse> responseStream, ServerCallContext context, ServerStreamingServerMethod<TRequest, TResponse> continuation)
    {
        RequireStaying(context);
        return continuation(request, responseStream, context);
    }

    void RequireStaying(ServerCallContext context)
    {
        if (drain.Started.IsCancellationRequested && !context.Method.StartsWith("/grpc.health", StringComparison.Ordinal) && !LooksOnly.Contains(context.Method[(context.Method.LastIndexOf('/') + 1)..]))
        {
            throw GenerationRelay.Leaving();
        }
    }
}
