using Google.Protobuf.Reflection;
using Grpc.Core;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Http.Streams;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>Calls the services' methods for requests that came over HTTP, through the interceptors that gRPC's calls pass. Any thread.</summary>
internal sealed class ServiceCalls(ErrorInterceptor errors, DrainInterceptor drain)
{
    /// <summary>Calls a method that answers once.</summary>
    /// <param name="http">The request.</param>
    /// <param name="rpc">The method.</param>
    /// <param name="request">Its message.</param>
    /// <param name="method">The service's code.</param>
    /// <exception cref="RpcException">It failed.</exception>
    public Task<TResponse> CallAsync<TRequest, TResponse>(HttpContext http, MethodDescriptor rpc, TRequest request, UnaryServerMethod<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class =>
        errors.UnaryServerHandler(request, new HttpCallContext(http, NameOf(rpc), http.RequestAborted), (message, context) => drain.UnaryServerHandler(message, context, method));

    /// <summary>Calls a method that answers with a stream, which ends with the request.</summary>
    /// <param name="http">The request.</param>
    /// <param name="rpc">The method.</param>
    /// <param name="request">Its message.</param>
    /// <param name="method">The service's code.</param>
    public StreamedCall<TEvent> Open<TRequest, TEvent>(HttpContext http, MethodDescriptor rpc, TRequest request, ServerStreamingServerMethod<TRequest, TEvent> method)
        where TRequest : class
        where TEvent : class
    {
        var call = new StreamedCall<TEvent>(
            (stream, cancellationToken) => errors.ServerStreamingServerHandler(
                request, stream, new HttpCallContext(http, NameOf(rpc), cancellationToken), (message, writer, context) => drain.ServerStreamingServerHandler(message, writer, context, method)),
            http.RequestAborted);
        http.Response.RegisterForDisposeAsync(call);
        return call;
    }

    static string NameOf(MethodDescriptor rpc) => $"/{rpc.Service.FullName}/{rpc.Name}";
}
