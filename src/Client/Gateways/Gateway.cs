using Grpc.Core;
using Grpc.Net.Client;

namespace IgptCluster.Client.Gateways;

/// <summary>One gateway and the connection to it, which comes about when it is needed and again after it broke.</summary>
internal sealed class Gateway : IDisposable
{
    readonly GrpcChannel _channel;

    internal Gateway(Uri address, IgptClientOptions options)
    {
        Address = address;
        var handler = new SocketsHttpHandler
        {
            ConnectTimeout = options.ConnectTimeout,
            EnableMultipleHttp2Connections = true,
            KeepAlivePingDelay = options.PingDelay,
            KeepAlivePingTimeout = options.PingTimeout,
            KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        };
        options.ConfigureHandler?.Invoke(handler);
        _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
        {
            // Given as a client, not as a handler: over a handler the channel would connect by itself, and refuse calls without trying for up to
            // two minutes after a gateway was lost.
            HttpClient = new HttpClient(handler) { Timeout = Timeout.InfiniteTimeSpan },
            DisposeHttpClient = true,
            MaxReceiveMessageSize = options.MaxReceiveBytes,
        });
        Invoker = _channel.CreateCallInvoker();
    }

    /// <summary>Where it is.</summary>
    internal Uri Address { get; }

    /// <summary>Calls it, once each.</summary>
    internal CallInvoker Invoker { get; }

    public void Dispose() => _channel.Dispose();
}
