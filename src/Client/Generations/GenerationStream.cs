using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Grpc.Core;
using IgptCluster.Client.Gateways;
using IgptCluster.Client.Retries;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Generations;

/// <summary>One enumeration of one or more sessions' events, each exactly once however often gateways are lost. Until every session is known a Generate that broke is called again
/// with its operation id, which replays; after that each session that is not finished is attached to from where it was.</summary>
internal sealed class GenerationStream
{
    // One event is a token or a few: a reader that stops leaves the rest to gRPC's flow control.
    const int Capacity = 64;

    static readonly TimeSpan CancelLimit = TimeSpan.FromSeconds(2);

    readonly GatewayPool _gateways;
    readonly DateTime? _deadline;
    readonly Dictionary<uint, SampleProgress> _samples = [];
    readonly Channel<GenerateEvent> _events = Channel.CreateBounded<GenerateEvent>(new BoundedChannelOptions(Capacity) { SingleReader = true, FullMode = BoundedChannelFullMode.Wait });
    readonly GenerateRequest? _request;

    /// <summary>A generation to start.</summary>
    internal GenerationStream(GatewayPool gateways, GenerateRequest request, DateTime? deadline) => (_gateways, _request, _deadline) = (gateways, request, deadline);

    /// <summary>A session to follow.</summary>
    internal GenerationStream(GatewayPool gateways, AttachRequest request, DateTime? deadline)
    {
        (_gateways, _deadline) = (gateways, deadline);
        _samples[0] = new SampleProgress(request.SessionId, request.FromPosition, request.HasRewinds ? request.Rewinds : null, request.Stream);
    }

    bool IsStarted => _request is null || _samples.Count >= Math.Max(1, _request.Samples);

    bool IsFinished => IsStarted && _samples.Values.All(sample => sample.IsFinished);

    /// <summary>The events; to be enumerated once.</summary>
    /// <param name="endsWhenLeft">Whether the sessions are cancelled if the caller leaves before their end.</param>
    /// <param name="cancellationToken">The caller's.</param>
    internal async IAsyncEnumerable<GenerateEvent> ReadAsync(bool endsWhenLeft, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Task reading = RunAsync(stop.Token);
        try
        {
            await foreach (GenerateEvent happened in _events.Reader.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                yield return happened;
            }
        }
        finally
        {
            // A caller that has seen the end, good or bad, has not left: what failed may be gone on with by its session's id.
            bool isLeft = cancellationToken.IsCancellationRequested || !_events.Reader.Completion.IsCompleted;
            await stop.CancelAsync().ConfigureAwait(false);
            await reading.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (isLeft && endsWhenLeft)
            {
                await CancelSessionsAsync().ConfigureAwait(false);
            }
        }
    }

    async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_request is not null)
            {
                await StartAsync(_request, cancellationToken).ConfigureAwait(false);
            }

            await Task.WhenAll(_samples.Values.Where(sample => !sample.IsFinished).Select(sample => FollowAsync(sample, cancellationToken))).ConfigureAwait(false);
            _events.Writer.TryComplete();
        }
        catch (Exception failure)
        {
            _events.Writer.TryComplete(failure);
        }
    }

    async Task StartAsync(GenerateRequest request, CancellationToken cancellationToken)
    {
        var attempts = new Attempts(_gateways, _deadline);
        do
        {
            await ReadOnceAsync(attempts, (invoker, options) => new ImageGpt.ImageGptClient(invoker).Generate(request, options), SampleOf, () => IsFinished, cancellationToken).ConfigureAwait(false);
        }
        while (!IsStarted);
    }

    async Task FollowAsync(SampleProgress sample, CancellationToken cancellationToken)
    {
        try
        {
            var attempts = new Attempts(_gateways, _deadline);
            while (!sample.IsFinished)
            {
                await ReadOnceAsync(
                    attempts, (invoker, options) => new Sessions.SessionsClient(invoker).Attach(sample.Rest(), options), _ => sample, () => sample.IsFinished, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception failure)
        {
            // At once, not when the others are through: the caller's loop ends and stops them.
            _events.Writer.TryComplete(failure);
            throw;
        }
    }

    /// <summary>Reads a stream to the end of what it is for, or until it breaks and may be tried again.</summary>
    async Task ReadOnceAsync(
        Attempts attempts,
        Func<CallInvoker, CallOptions, AsyncServerStreamingCall<GenerateEvent>> open,
        Func<GenerateEvent, SampleProgress> sampleOf,
        Func<bool> isFinished,
        CancellationToken cancellationToken)
    {
        RpcException failure;
        try
        {
            using AsyncServerStreamingCall<GenerateEvent> call = open(attempts.Next(), new CallOptions(deadline: _deadline, cancellationToken: cancellationToken));
            await foreach (GenerateEvent happened in call.ResponseStream.ReadAllAsync(cancellationToken).ConfigureAwait(false))
            {
                attempts.Answered();
                if (sampleOf(happened).Take(happened) is { } fresh)
                {
                    attempts.Progressed();
                    await _events.Writer.WriteAsync(fresh, cancellationToken).ConfigureAwait(false);
                }

                if (isFinished())
                {
                    return;
                }
            }

            failure = new RpcException(new Status(StatusCode.Unavailable, "the stream ended without 'finished'"));
        }
        catch (RpcException broken)
        {
            failure = broken;
        }

        await attempts.RecoverAsync(failure, cancellationToken).ConfigureAwait(false);
    }

    SampleProgress SampleOf(GenerateEvent happened)
    {
        if (!_samples.TryGetValue(happened.Sample, out SampleProgress? sample))
        {
            // One that is none of the request's would make the others look complete.
            if (happened.Sample >= Math.Max(1, _request!.Samples))
            {
                throw new RpcException(new Status(StatusCode.DataLoss, $"the stream breaks its rules: it tells of sample {happened.Sample}, and {Math.Max(1, _request.Samples)} were asked for"));
            }

            _samples[happened.Sample] = sample = new SampleProgress(happened.SessionId, firstPosition: 0, rewinds: null, _request.Stream);
        }

        return sample;
    }

    /// <summary>Best effort: who left does not wait for long, and what is not reached ends with its time to live.</summary>
    async Task CancelSessionsAsync()
    {
        var sessions = new Sessions.SessionsClient(new RetryingInvoker(_gateways));
        DateTime end = DateTime.UtcNow + CancelLimit;
        Task cancelled = Task.WhenAll(_samples.Values.Where(sample => !sample.IsFinished).Select(sample =>
            sessions.CancelAsync(new CancelSessionRequest { SessionId = sample.SessionId }, deadline: end, cancellationToken: CancellationToken.None).ResponseAsync));
        await cancelled.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
