using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// One generation: what it is, its token log, where it runs and who watches. The log lives in this activation; a lost replica
/// costs a prefill elsewhere, a lost activation the session.
/// </summary>
[DeviceSiloFilter, KeepAlive, Reentrant, GrainType("igpt.session")]
internal sealed partial class SessionGrain(IOptions<SessionOptions> options, TimeProvider time, ILogger<SessionGrain> logger) : Grain, ISessionGrain
{
    static readonly TimeSpan ResumeInterval = TimeSpan.FromMilliseconds(250);

    GenerationSpec? _spec;
    TokenLog _log = new(0);
    SessionState _state;
    SessionResult? _result;
    ReplicaId? _replica;
    DateTimeOffset _created;
    DateTimeOffset? _expires;
    IGrainTimer? _expiry;
    CancellationTokenSource? _generation;

    // Counts starts, resumptions and stops: who has awaited sees by it whether what was being started is still wanted.
    int _run;
    (int Run, Task Attempt) _resuming = (0, Task.CompletedTask);
    SessionTimings _spent = new(default, default, default, default, 0);
    int _viewers;

    SessionId Id => new(this.GetPrimaryKeyString());

    public async Task<SessionDescription> StartAsync(GenerationSpec spec, ReplicaId replica)
    {
        if (_spec is null)
        {
            (_spec, _log, _created) = (spec, new TokenLog(spec.Prompt.Length), time.GetUtcNow());
            try
            {
                await RunOnAsync(replica, ++_run);
            }
            catch
            {
                _spec = null;
                _log.Signal();
                DeactivateOnIdle();
                throw;
            }

            if (_viewers == 0 && _result is null)
            {
                ExpireAfter(spec.TimeToLive > TimeSpan.Zero ? spec.TimeToLive : options.Value.FirstViewerTimeout);
            }
        }

        return Describe();
    }

    public Task<SessionDescription> GetAsync() => Task.FromResult(Describe());

    public async IAsyncEnumerable<SessionUpdate> ReadAsync(int fromPosition, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        GenerationSpec spec = Spec;
        if (fromPosition < spec.Prompt.Length || fromPosition > spec.EndPosition)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"from_position must lie between the prompt's end, {spec.Prompt.Length}, and the generation's, {spec.EndPosition}; given {fromPosition}")
            {
                Field = "from_position",
            };
        }

        Enter();
        try
        {
            if (_state == SessionState.Paused)
            {
                await ResumeAsync();
            }

            for (int position = fromPosition; ;)
            {
                Task changed = _log.Changed;
                if (_log.From(position) is { Length: > 0 } tokens)
                {
                    yield return new SessionUpdate(position, tokens, null);
                    position += tokens.Length;
                }
                else if (_result is not null)
                {
                    yield return new SessionUpdate(position, [], _result);
                    yield break;
                }
                else if (_spec is null)
                {
                    throw NotFound();
                }
                else
                {
                    await changed.WaitAsync(cancellationToken);
                }
            }
        }
        finally
        {
            Leave();
        }
    }

    public Task<SessionDescription> CancelAsync()
    {
        _ = Spec;
        Finish(SessionEnd.Cancelled, "");
        return Task.FromResult(Describe());
    }

    public Task<SessionDescription> PauseAsync()
    {
        _ = Spec;
        if (_result is null)
        {
            // One that is paused may be about to go on.
            _state = SessionState.Paused;
            StopGenerating();
        }

        return Task.FromResult(Describe());
    }

    public Task AbandonAsync(bool pause)
    {
        if (_viewers > 0 || _result is not null || _spec is null)
        {
            return Task.CompletedTask;
        }

        if (_spec.TimeToLive == TimeSpan.Zero)
        {
            Finish(SessionEnd.Cancelled, "");
            return Task.CompletedTask;
        }

        return pause ? PauseAsync() : Task.CompletedTask;
    }

    GenerationSpec Spec => _spec ?? throw NotFound();

    IgptException NotFound()
    {
        DeactivateOnIdle();
        return new IgptException(IgptErrorCode.SessionNotFound, $"no session '{Id}': it never was, has expired, or its silo was lost");
    }

    /// <summary>
    /// Queues the rest of the generation on a replica; returns once it is queued there, and goes on in the background. Changes nothing if the
    /// session was cancelled or paused meanwhile.
    /// </summary>
    async Task RunOnAsync(ReplicaId replica, int run, bool isResumption = false)
    {
        var generation = new CancellationTokenSource();
        IAsyncEnumerator<SessionUpdate> updates = GrainFactory.GetGrain<IReplicaGrain>(replica.ToString())
            .GenerateAsync(Id, Spec, _log.ToArray(), generation.Token).GetAsyncEnumerator(generation.Token);
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

        (_state, _replica, _generation) = (SessionState.Queued, replica, generation);
        _spent = _spent with { Resumptions = _spent.Resumptions + (isResumption ? 1 : 0) };
        FollowAsync(updates, generation).Ignore();
    }

    /// <summary>Logs what the replica makes until it ends, is stopped, or the replica is lost.</summary>
    async Task FollowAsync(IAsyncEnumerator<SessionUpdate> updates, CancellationTokenSource generation)
    {
        try
        {
            await using (updates)
            {
                while (await updates.MoveNextAsync() && _generation == generation)
                {
                    Take(updates.Current);
                }
            }
        }
        catch (Exception exception) when (_generation != generation)
        {
            LogStopped(exception, Id);
        }
        catch (Exception exception)
        {
            LogReplicaLost(exception, Id, _replica!.Value);
            await ReplaceReplicaAsync(exception);
        }
        finally
        {
            generation.Dispose();
        }
    }

    void Take(SessionUpdate update)
    {
        if (update.Result is { } result)
        {
            SessionTimings timings = result.Timings;
            _spent = _spent with
            {
                Queue = _spent.Queue + timings.Queue,
                Prefill = _spent.Prefill + timings.Prefill,
                Decode = _spent.Decode + timings.Decode,
                FirstToken = _spent.FirstToken == default ? timings.FirstToken : _spent.FirstToken,
            };
            _generation = null;
            Finish(result.End, result.Message);
        }
        else
        {
            _state = SessionState.Running;
            _log.Append(update.Position, update.Tokens);
        }
    }

    async Task ReplaceReplicaAsync(Exception lost)
    {
        _generation = null;
        if (_spent.Resumptions >= options.Value.MaxResumptions)
        {
            Finish(SessionEnd.Failed, $"lost its replica {_spent.Resumptions + 1} times, the last time because: {lost.Message}");
            return;
        }

        long since = time.GetTimestamp();
        int run = _run;
        ReplicaId? left = _replica;
        _state = SessionState.Queued;
        while (run == _run)
        {
            try
            {
                await TakeUpAsync(run, left);
                return;
            }
            catch (Exception) when (run == _run && time.GetElapsedTime(since) < options.Value.ResumeTimeout)
            {
                // The cluster may need a moment to see the loss and to start another replica.
                await Task.Delay(ResumeInterval, time);
            }
            catch (Exception exception) when (run == _run)
            {
                Finish(SessionEnd.Failed, $"lost its replica ({lost.Message}) and found no other: {exception.Message}");
            }
        }
    }

    /// <summary>Goes on with a paused session. All who want that at a time share one attempt and its failure.</summary>
    Task ResumeAsync()
    {
        if (_resuming.Attempt.IsCompleted || _resuming.Run != _run)
        {
            int run = ++_run;
            _resuming = (run, TakeUpAsync(run));
        }

        return _resuming.Attempt;
    }

    /// <summary>Goes on, on the replica with most room, on the one it left only if there is no other.</summary>
    async Task TakeUpAsync(int run, ReplicaId? left = null)
    {
        ReplicaStatus[] replicas = await GrainFactory.GetGrain<IModelGrain>(Spec.Model).GetReplicasAsync();
        ReplicaStatus? chosen = ReplicaChoice.Roomiest([.. replicas.Where(replica => replica.Id != left)]) ?? ReplicaChoice.Roomiest(replicas);
        await RunOnAsync(chosen?.Id ?? throw ReplicaChoice.NoneReady(replicas, Spec.Model), run, isResumption: true);
    }

    /// <summary>Ends the replica's enumeration, which frees the KV slot between two steps.</summary>
    void StopGenerating()
    {
        _run++;
        CancellationTokenSource? generation = _generation;
        (_generation, _replica) = (null, null);
        generation?.Cancel();
    }

    void Finish(SessionEnd end, string message)
    {
        if (_result is not null)
        {
            return;
        }

        StopGenerating();
        _state = SessionState.Finished;
        _result = new SessionResult(end, message, _spent);
        _log.Signal();
        LogFinished(Id, end, _log.End - Spec.Prompt.Length, message);
        if (_viewers == 0)
        {
            ExpireAfter(Spec.TimeToLive > TimeSpan.Zero ? Spec.TimeToLive : options.Value.FinishedRetention);
        }
    }

    void Enter()
    {
        _viewers++;
        _expires = null;
        _expiry?.Dispose();
    }

    void Leave()
    {
        if (--_viewers > 0 || _spec is null)
        {
            return;
        }

        if (_result is null && _spec.TimeToLive == TimeSpan.Zero)
        {
            Finish(SessionEnd.Cancelled, "");
        }
        else
        {
            ExpireAfter(_spec.TimeToLive > TimeSpan.Zero ? _spec.TimeToLive : options.Value.FinishedRetention);
        }
    }

    void ExpireAfter(TimeSpan delay)
    {
        _expires = time.GetUtcNow() + delay;
        _expiry?.Dispose();
        _expiry = this.RegisterGrainTimer(Expire, new GrainTimerCreationOptions(delay, Timeout.InfiniteTimeSpan) { Interleave = true });
    }

    Task Expire(CancellationToken cancellationToken)
    {
        if (_viewers == 0 && _spec is not null)
        {
            Finish(SessionEnd.Expired, "");
            _expiry?.Dispose();
            _spec = null;
            DeactivateOnIdle();
        }

        return Task.CompletedTask;
    }

    SessionDescription Describe() => new()
    {
        Id = Id,
        Spec = Spec,
        State = _state,
        Result = _result,
        Position = _log.End,
        Replica = _replica,
        Created = _created,
        Expires = _expires,
    };

    [LoggerMessage(1201, LogLevel.Information, "Session {Session} finished: {End}, {Tokens} tokens made {Message}")]
    partial void LogFinished(SessionId session, SessionEnd end, int tokens, string message);

    [LoggerMessage(1202, LogLevel.Warning, "Session {Session} lost replica {Replica}")]
    partial void LogReplicaLost(Exception exception, SessionId session, ReplicaId replica);

    [LoggerMessage(1203, LogLevel.Debug, "Session {Session} stopped generating")]
    partial void LogStopped(Exception exception, SessionId session);
}
