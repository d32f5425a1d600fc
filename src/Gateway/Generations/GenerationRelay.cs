using System.Runtime.ExceptionServices;
using System.Threading.Channels;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Grains.Silos;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Generations;

/// <summary>
/// Carries the events of one or more sessions to one client. A channel that holds everything they can give lies between: a slow client
/// stalls only itself, never a session's KV slot.
/// </summary>
internal sealed class GenerationRelay(IGrainFactory grains, SiloDrain drain, TimeProvider time)
{
    // How long a session may take to be found elsewhere.
    static readonly TimeSpan LossLimit = TimeSpan.FromSeconds(60);
    static readonly TimeSpan LossInterval = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan LeavingRetry = TimeSpan.FromSeconds(1);

    /// <summary>Streams sessions to their end.</summary>
    /// <param name="sessions">The sessions and how to tell them.</param>
    /// <param name="client">Where to.</param>
    /// <param name="cancellationToken">The client is gone or its deadline has passed.</param>
    /// <exception cref="IgptException">Draining: this gateway leaves the cluster, and another can go on.</exception>
    public async Task RunAsync(
        IReadOnlyList<RelayedSession> sessions, IServerStreamWriter<GenerateEvent> client, CancellationToken cancellationToken)
    {
        CancellationToken leaves = drain.StreamsEnd;
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, leaves);
        var events = Channel.CreateBounded<GenerateEvent>(new BoundedChannelOptions(sessions.Sum(session => session.Events.MostEvents))
        {
            SingleReader = true,
            FullMode = BoundedChannelFullMode.Wait,
        });
        Task reading = ReadAllAsync(sessions, events.Writer, stop.Token);
        try
        {
            await foreach (GenerateEvent happened in events.Reader.ReadAllAsync(stop.Token))
            {
                await client.WriteAsync(happened, stop.Token);
            }
        }
        catch (Exception) when (leaves.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            throw Leaving();
        }
        finally
        {
            await stop.CancelAsync();
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>What a client is told that comes, or is here, while this gateway leaves.</summary>
    public static IgptException Leaving() => new(IgptErrorCode.Draining, "this gateway is leaving the cluster: attach again, at another gateway or when it is back") { RetryAfter = LeavingRetry };

    /// <summary>Checks what a stream is to carry.</summary>
    /// <param name="options">As sent; null = the defaults.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static StreamOptions Checked(StreamOptions? options)
    {
        options ??= new StreamOptions();
        Require.That(options.PngScale <= 32, "stream.png_scale", $"must be 1 … 32 (0 = 1); given {options.PngScale}");
        return options;
    }

    async Task ReadAllAsync(IReadOnlyList<RelayedSession> sessions, ChannelWriter<GenerateEvent> writer, CancellationToken cancellationToken)
    {
        try
        {
            foreach (RelayedSession session in sessions)
            {
                await writer.WriteAsync(session.Events.Started(session.Rewinds), cancellationToken);
            }

            await Task.WhenAll(sessions.Select(session => ReadAsync(session, writer, cancellationToken)));
            writer.Complete();
        }
        catch (Exception failure)
        {
            writer.Complete(failure);
        }
    }

    async Task ReadAsync(RelayedSession session, ChannelWriter<GenerateEvent> writer, CancellationToken cancellationToken)
    {
        // A session outlives its silo where it is stored: it is read on from the next call that finds it.
        int position = session.Events.ReadFrom;
        (Exception Failure, long Since)? lost = null;
        while (true)
        {
            try
            {
                await foreach (SessionUpdate update in grains.GetGrain<ISessionGrain>(session.Id.ToString()).ReadAsync(position, session.Rewinds, cancellationToken))
                {
                    (position, lost) = (update.Position + update.Tokens.Length, null);
                    if (session.Events.Next(update) is { } happened)
                    {
                        await writer.WriteAsync(happened, cancellationToken);
                    }
                }

                return;
            }
            catch (Exception failure) when ((Passing.Is(failure) || failure is IgptException { Code: IgptErrorCode.StoreUnavailable }) && !cancellationToken.IsCancellationRequested
                && (lost is null || time.GetElapsedTime(lost.Value.Since) < LossLimit))
            {
                lost ??= (failure, time.GetTimestamp());
                await Task.Delay(LossInterval, time, cancellationToken);
            }
            catch (IgptException gone) when (gone.Code == IgptErrorCode.SessionNotFound && lost is not null)
            {
                // It was not stored: what is wrong is the silo that was lost.
                ExceptionDispatchInfo.Throw(lost.Value.Failure);
            }
        }
    }
}
