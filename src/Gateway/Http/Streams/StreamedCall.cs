using System.Threading.Channels;
using Grpc.Core;

namespace IgptCluster.Gateway.Http.Streams;

/// <summary>A streaming call as a sequence to read: the method writes an event when the reader has taken the one before. One reader.</summary>
/// <typeparam name="TEvent">The stream's message.</typeparam>
internal sealed class StreamedCall<TEvent> : IServerStreamWriter<TEvent>, IAsyncDisposable
{
    readonly Channel<TEvent> _events = Channel.CreateBounded<TEvent>(new BoundedChannelOptions(1) { SingleReader = true, SingleWriter = true, FullMode = BoundedChannelFullMode.Wait });
    readonly CancellationTokenSource _stop;
    readonly Task _call;

    /// <summary>Begins the call.</summary>
    /// <param name="method">The method.</param>
    /// <param name="cancellationToken">The client is gone.</param>
    public StreamedCall(Func<IServerStreamWriter<TEvent>, CancellationToken, Task> method, CancellationToken cancellationToken)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _call = RunAsync(method);
    }

    /// <inheritdoc/>
    public WriteOptions? WriteOptions { get; set; }

    /// <summary>The events; completes with the call, and fails as it fails.</summary>
    public ChannelReader<TEvent> Events => _events.Reader;

    /// <inheritdoc/>
    public Task WriteAsync(TEvent message) => WriteAsync(message, _stop.Token);

    /// <inheritdoc/>
    public Task WriteAsync(TEvent message, CancellationToken cancellationToken) => _events.Writer.WriteAsync(message, cancellationToken).AsTask();

    /// <summary>Ends the call, as if its client had gone, and waits for it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _call;
        _stop.Dispose();
    }

    async Task RunAsync(Func<IServerStreamWriter<TEvent>, CancellationToken, Task> method)
    {
        try
        {
            await method(this, _stop.Token);
            _events.Writer.Complete();
        }
        catch (Exception failure)
        {
            _events.Writer.Complete(failure);
        }
    }
}
