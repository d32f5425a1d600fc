using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Client.Gateways;
using Status = Grpc.Core.Status;

namespace IgptCluster.Client.Retries;

/// <summary>One unary call in as many attempts as it takes.</summary>
internal sealed class RetriedCall<TRequest, TResponse>(GatewayPool gateways, Method<TRequest, TResponse> method, string? host, CallOptions options, TRequest request) : IDisposable
    where TRequest : class
    where TResponse : class
{
    // Few dispose of unary calls: it has no timer, and holds on to the caller's token only while the call runs.
    readonly CancellationTokenSource _stop = new();
    AsyncUnaryCall<TResponse>? _last;

    internal Status Status => _last is { } call ? call.GetStatus() : throw NotEnded();

    internal Metadata Trailers => _last is { } call ? call.GetTrailers() : throw NotEnded();

    /// <summary>Makes the attempts.</summary>
    /// <exception cref="RpcException">The last one's failure.</exception>
    internal async Task<TResponse> RunAsync()
    {
        using CancellationTokenRegistration link = options.CancellationToken.UnsafeRegister(stop => ((CancellationTokenSource)stop!).Cancel(), _stop);
        var attempts = new Attempts(gateways, options.Deadline);
        while (true)
        {
            AsyncUnaryCall<TResponse> call = attempts.Next().AsyncUnaryCall(method, host, options.WithCancellationToken(_stop.Token), request);
            _last = call;
            try
            {
                TResponse response = await call.ResponseAsync.ConfigureAwait(false);
                attempts.Answered();
                return response;
            }
            catch (RpcException gone) when (gone.StatusCode == StatusCode.NotFound && attempts.MayHaveArrived && RetryingInvoker.IsRemoval(method.FullName))
            {
                // An attempt before this one did it.
                return (TResponse)(object)new Empty();
            }
            catch (RpcException failure) when (!_stop.IsCancellationRequested)
            {
                await RecoverAsync(attempts, failure).ConfigureAwait(false);
                call.Dispose();
            }
        }
    }

    internal async Task<Metadata> HeadersAsync(Task<TResponse> response)
    {
        await response.ConfigureAwait(false);
        return await _last!.ResponseHeadersAsync.ConfigureAwait(false);
    }

    public void Dispose()
    {
        _stop.Cancel();
        _last?.Dispose();
    }

    async Task RecoverAsync(Attempts attempts, RpcException failure)
    {
        try
        {
            await attempts.RecoverAsync(failure, _stop.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // As generated clients tell it.
            throw new RpcException(new Status(StatusCode.Cancelled, "the call was cancelled between two attempts", failure));
        }
    }

    static InvalidOperationException NotEnded() => new("the call has not ended: await its response first");
}
