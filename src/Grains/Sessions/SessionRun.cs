using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Sessions;

/// <summary>What a run needs of its session.</summary>
internal interface ISessionOwner
{
    /// <summary>What is generated.</summary>
    GenerationSpec Spec { get; }

    /// <summary>All tokens made so far.</summary>
    int[] Tokens { get; }

    /// <summary>The rest is queued on a replica.</summary>
    /// <param name="isResumption">Whether it ran before.</param>
    void TakeQueued(bool isResumption);

    /// <summary>The replica has made something.</summary>
    void Take(SessionUpdate update);

    /// <summary>Ends it if all its tokens are there and only its end was lost.</summary>
    /// <returns>Whether it has ended.</returns>
    bool TryComplete();

    /// <summary>It waits for another replica.</summary>
    void TakeLoss();

    /// <summary>It has waited long for another replica, and waits on: viewers are told.</summary>
    /// <returns>False if it is not worth waiting on: it has failed.</returns>
    bool TakeStranded(string message);

    /// <summary>It cannot go on.</summary>
    void Fail(string message);
}

/// <summary>Where a session's generation runs: queues it on a replica, follows it, and moves it to another when one is lost. One grain's turns only.</summary>
internal sealed partial class SessionRun(SessionId id, ISessionOwner owner, IGrainFactory grains, SessionOptions options, TimeProvider time, ILogger logger)
{
    static readonly TimeSpan ResumeInterval = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan StrandedInterval = TimeSpan.FromSeconds(2);

    CancellationTokenSource? _generation;

    // Counts starts, resumptions and stops: who has awaited sees by it whether what was being started is still wanted.
    int _run;
    (int Run, Task Attempt) _resuming = (0, Task.CompletedTask);
    int _losses; // since the latest token
    long _lost; // when the latest was
    bool _isResumption; // whether what is queued next counts as taken up again
    bool _isReadmission; // whether it was accepted before, and must not queue up again

    /// <summary>The replica that has it; null if none does.</summary>
    internal ReplicaId? Replica { get; private set; }

    /// <summary>Queues it on a replica; returns once it is queued there, and goes on in the background.</summary>
    internal Task StartAsync(ReplicaId replica)
    {
        _isReadmission = false;
        return RunOnAsync(replica, ++_run);
    }

    /// <summary>Queues it on the replica with most room, and goes on in the background. All who want that at a time share one attempt and its failure.</summary>
    /// <param name="isResumption">Whether it ran before.</param>
    internal Task ResumeAsync(bool isResumption = true)
    {
        if (_resuming.Attempt.IsCompleted || _resuming.Run != _run)
        {
            int run = ++_run;
            (_isResumption, _isReadmission) = (isResumption, false);
            _resuming = (run, TakeUpAsync(run));
        }

        return _resuming.Attempt;
    }

    /// <summary>Goes on elsewhere.</summary>
    /// <param name="lost">What became of where it was.</param>
    internal Task ReplaceAsync(Exception lost)
    {
        _generation = null;
        _lost = time.GetTimestamp();
        if (_losses++ >= options.MaxResumptions)
        {
            owner.Fail($"lost its replica {_losses} times without a new token, the last time because: {lost.Message}");
            return Task.CompletedTask;
        }

        owner.TakeLoss();
        return GoOnAsync($"lost its replica ({lost.Message})", isResumption: true);
    }

    /// <summary>Tries to go on until it can, is stopped, or has tried for too long.</summary>
    /// <param name="because">Why it must, for messages.</param>
    /// <param name="isResumption">Whether it ran before.</param>
    internal async Task GoOnAsync(string because, bool isResumption)
    {
        long since = time.GetTimestamp();
        int run = _run;
        ReplicaId? left = Replica;
        (_isResumption, _isReadmission) = (isResumption, true);
        bool isStranded = false;
        while (run == _run)
        {
            try
            {
                await TakeUpAsync(run, left);
                return;
            }
            catch (Exception exception) when (run == _run)
            {
                // The cluster may need a moment to see the loss and to start another replica.
                if (!isStranded && time.GetElapsedTime(since) >= options.ResumeTimeout)
                {
                    isStranded = true;
                    if (!owner.TakeStranded($"{because} and found no other: {exception.Message}"))
                    {
                        return;
                    }
                }

                await Task.Delay(isStranded ? StrandedInterval : ResumeInterval, time);
            }
        }
    }

    /// <summary>Ends the replica's enumeration, which frees the KV slot between two steps.</summary>
    internal void Stop()
    {
        _run++;
        CancellationTokenSource? generation = _generation;
        (_generation, Replica) = (null, null);
        generation?.Cancel();
    }

    /// <summary>Goes on, on a replica with room, on the one it left only if there is no other.</summary>
    async Task TakeUpAsync(int run, ReplicaId? left = null)
    {
        if (owner.TryComplete())
        {
            return;
        }

        string model = owner.Spec.Model;
        ReplicaStatus[] replicas = await grains.GetGrain<IModelGrain>(model).GetReplicasAsync();
        ReplicaStatus[] others = [.. replicas.Where(replica => replica.Id != left)];
        ReplicaId? chosen = _isReadmission
            ? await ReplicaChoice.ChooseFromCrowdAsync(grains, others, Random.Shared, time)
            : await ReplicaChoice.ChooseAsync(grains, others, Random.Shared, time);
        chosen ??= ReplicaChoice.Roomiest(replicas)?.Id;
        await RunOnAsync(chosen ?? throw ReplicaChoice.NoneReady(replicas, model), run);
    }

    /// <summary>Queues the rest on a replica. Changes nothing if the session was cancelled or paused meanwhile.</summary>
    async Task RunOnAsync(ReplicaId replica, int run)
    {
        var generation = new CancellationTokenSource();
        IAsyncEnumerator<SessionUpdate> updates = grains.GetGrain<IReplicaGrain>(replica.ToString())
            .GenerateAsync(id, owner.Spec, owner.Tokens, _isReadmission, generation.Token).GetAsyncEnumerator(generation.Token);
        try
        {
            await updates.MoveNextAsync();
        }
        catch
        {
            await updates.DisposeAsync();
            throw;
        }

        if (run != _run)
        {
            await generation.CancelAsync();
            await updates.DisposeAsync();
            generation.Dispose();
            return;
        }

        (Replica, _generation) = (replica, generation);
        owner.TakeQueued(_isResumption);
        FollowAsync(updates, generation).Ignore();
    }

    /// <summary>Hands on what the replica makes until it ends, is stopped, or the replica is lost.</summary>
    async Task FollowAsync(IAsyncEnumerator<SessionUpdate> updates, CancellationTokenSource generation)
    {
        long queued = time.GetTimestamp();
        Exception? lost = null;
        try
        {
            while (await updates.MoveNextAsync() && _generation == generation)
            {
                TellWentOn(queued);
                _losses = 0;
                _generation = updates.Current.Result is null ? generation : null;
                owner.Take(updates.Current);
            }
        }
        catch (Exception exception) when (_generation != generation)
        {
            LogStopped(exception, id);
        }
        catch (Exception exception)
        {
            lost = exception;
        }

        // Nobody waits for a silo that is gone to be told that it is not needed.
        LeaveAsync(updates, generation).Ignore();
        if (lost is not null)
        {
            // Many lose it at a time: no stacks.
            LogReplicaLost(id, Replica!.Value, lost.Message);
            await ReplaceAsync(lost);
        }
    }

    static async Task LeaveAsync(IAsyncEnumerator<SessionUpdate> updates, CancellationTokenSource generation)
    {
        using (generation)
        {
            await updates.DisposeAsync();
        }
    }

    void TellWentOn(long queued)
    {
        if (_losses > 0)
        {
            LogWentOn(id, Replica!.Value, time.GetElapsedTime(_lost).TotalMilliseconds, time.GetElapsedTime(queued).TotalMilliseconds);
        }
    }

    [LoggerMessage(1202, LogLevel.Warning, "Session {Session} lost replica {Replica}: {Reason}")]
    partial void LogReplicaLost(SessionId session, ReplicaId replica, string reason);

    [LoggerMessage(1210, LogLevel.Information, "Session {Session} goes on on replica {Replica}, {Milliseconds:0} ms after its loss was noticed, {Queued:0} ms after it was queued there")]
    partial void LogWentOn(SessionId session, ReplicaId replica, double milliseconds, double queued);

    [LoggerMessage(1203, LogLevel.Debug, "Session {Session} stopped generating")]
    partial void LogStopped(Exception exception, SessionId session);
}
