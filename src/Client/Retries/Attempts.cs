using System.Runtime.ExceptionServices;
using Grpc.Core;
using IgptCluster.Client.Gateways;

namespace IgptCluster.Client.Retries;

/// <summary>The attempts of one call or stream: where the next goes, how long to wait for it, and when to give up. One thread at a time.</summary>
/// <remarks>
/// gRPC's own retries and load balancing were considered: they count attempts (five unless raised) where a replaced gateway takes time, know no
/// google.rpc.RetryInfo, cannot tell its RESOURCE_EXHAUSTED from that of a message's size, keep at most a megabyte of request, and end with a
/// stream's first event.
/// </remarks>
/// <param name="gateways">Where to call.</param>
/// <param name="deadline">When the caller gives up (UTC); null = never.</param>
internal sealed class Attempts(GatewayPool gateways, DateTime? deadline)
{
    const int MostDoublings = 30;

    int _turn;
    int _failures;

    // Time without an answer since the last progress; an idle stream that is connected costs none, one that breaks at once again does.
    TimeSpan _unanswered;
    long? _failingSince;

    IgptClientOptions Options => gateways.Options;

    /// <summary>Whether an attempt that failed may have had its effect.</summary>
    internal bool MayHaveArrived { get; private set; }

    /// <summary>Where to make the next attempt.</summary>
    internal CallInvoker Next()
    {
        _turn = gateways.Turn;
        return gateways.At(_turn).Invoker;
    }

    /// <summary>The server has answered.</summary>
    internal void Answered()
    {
        gateways.HasAnswered = true;
        if (_failingSince is { } since)
        {
            _unanswered += Options.Time.GetElapsedTime(since);
            _failingSince = null;
        }
    }

    /// <summary>The caller got something: failures before it are forgotten.</summary>
    internal void Progressed() => (_failures, _unanswered, _failingSince) = (0, TimeSpan.Zero, null);

    /// <summary>Waits until the next attempt may be made.</summary>
    /// <param name="failure">How the last one ended.</param>
    /// <param name="cancellationToken">The caller's.</param>
    /// <exception cref="RpcException">Another attempt would not help, the limit is reached, or the deadline would pass first (DEADLINE_EXCEEDED).</exception>
    /// <exception cref="OperationCanceledException">The caller cancelled.</exception>
    internal async Task RecoverAsync(RpcException failure, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Verdict verdict = Verdict.Of(failure);
        MayHaveArrived |= Verdict.MayHaveArrived(failure);
        gateways.HasAnswered |= Verdict.IsFromServer(failure);
        _failures++;
        _failingSince ??= Options.Time.GetTimestamp();
        bool isFirstRound = !gateways.HasAnswered && !Options.WaitsForFirstAnswer;
        TimeSpan delay = isFirstRound ? TimeSpan.Zero : verdict.Delay is { } asked ? asked + Jittered(Options.FirstBackoff) : Backoff(verdict.Remedy);
        if (verdict.Remedy == Remedy.None || Options.RetryLimit == TimeSpan.Zero || (isFirstRound && _failures >= gateways.Count)
            || _unanswered + Options.Time.GetElapsedTime(_failingSince.Value) + delay > Options.RetryLimit)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        if (deadline is { } end && Options.Time.GetUtcNow().UtcDateTime + delay >= end.ToUniversalTime())
        {
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, $"the deadline comes before the next attempt; the last one ended with: {failure.Status.Detail}", failure));
        }

        Gateway failed = gateways.At(_turn);
        if (verdict.Remedy == Remedy.Wait || gateways.MoveOn(_turn))
        {
            Options.Retrying?.Invoke(new RetryNotice(failed.Address, gateways.At(gateways.Turn).Address, delay, failure));
        }

        await Task.Delay(delay, Options.Time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Another gateway is tried at once; the waits begin when each has failed.</summary>
    TimeSpan Backoff(Remedy remedy)
    {
        int rounds = remedy == Remedy.MoveOn ? _failures - gateways.Count : _failures - 1;
        if (rounds < 0)
        {
            return TimeSpan.Zero;
        }

        double doubled = Options.FirstBackoff.TotalSeconds * Math.Pow(2, Math.Min(rounds, MostDoublings));
        return Jittered(TimeSpan.FromSeconds(Math.Min(doubled, Options.LastBackoff.TotalSeconds)));
    }

    TimeSpan Jittered(TimeSpan longest)
    {
        lock (Options.Random)
        {
            return longest * ((1 + Options.Random.NextDouble()) / 2);
        }
    }
}
