using Grpc.Core;
using IgptCluster.Client.Gateways;

namespace IgptCluster.Client.Retries;

/// <summary>Calls whichever gateway is in use; unary calls are tried again, at the next gateway where that helps.</summary>
internal sealed class RetryingInvoker(GatewayPool gateways) : CallInvoker
{
    /// <summary>Whether a method takes something away and says NOT_FOUND where there is nothing.</summary>
    internal static bool IsRemoval(string method) => method is "/igpt.v1.Models/DeleteHead" or "/igpt.v1.Models/Unload";

    public override AsyncUnaryCall<TResponse> AsyncUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        var call = new RetriedCall<TRequest, TResponse>(gateways, method, host, options, OperationId.Ensure(request));
        Task<TResponse> response = call.RunAsync();
        return new AsyncUnaryCall<TResponse>(response, _ => call.HeadersAsync(response), _ => call.Status, _ => call.Trailers, _ => call.Dispose(), call);
    }

    public override TResponse BlockingUnaryCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request)
    {
        using AsyncUnaryCall<TResponse> call = AsyncUnaryCall(method, host, options, request);
        return call.ResponseAsync.GetAwaiter().GetResult();
    }

    public override AsyncServerStreamingCall<TResponse> AsyncServerStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) =>
        gateways.At(gateways.Turn).Invoker.AsyncServerStreamingCall(method, host, options, request);

    public override AsyncClientStreamingCall<TRequest, TResponse> AsyncClientStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        gateways.At(gateways.Turn).Invoker.AsyncClientStreamingCall(method, host, options);

    public override AsyncDuplexStreamingCall<TRequest, TResponse> AsyncDuplexStreamingCall<TRequest, TResponse>(Method<TRequest, TResponse> method, string? host, CallOptions options) =>
        gateways.At(gateways.Turn).Invoker.AsyncDuplexStreamingCall(method, host, options);
}
