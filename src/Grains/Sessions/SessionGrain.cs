using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Orleans.Storage;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// One generation: what it is, its token log, where it runs and who watches. What is delivered is stored before: a lost replica costs a prefill elsewhere,
/// and so does a lost activation, which the next call makes anew. Where no storage is configured it costs the session.
/// </summary>
[DeviceSiloFilter, KeepAlive, Reentrant, GrainType("igpt.session")]
internal sealed partial class SessionGrain(
    IOptions<SessionOptions> options, IServiceProvider services, TimeProvider time, ILogger<SessionGrain> logger) : Grain, ISessionGrain, ISessionOwner
{
    static readonly TimeSpan StoreRetry = TimeSpan.FromSeconds(2);

    GenerationSpec? _spec;
    TokenLog _log = new(0);
    SessionRun _run = null!;
    SessionStore _store = null!;
    SessionJournal _journal = null!;
    SessionState _state;
    SessionResult? _result;
    SessionResult? _delivered; // the result once it is stored
    bool _isLost; // another activation has the session
    DateTimeOffset _created;
    DateTimeOffset? _expires;
    IGrainTimer? _expiry;
    SessionTimings _spent = new(default, default, default, default, 0);
    int _viewers;

    SessionId Id => new(this.GetPrimaryKeyString());

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _run = new SessionRun(Id, this, GrainFactory, options.Value, time, logger);
        _store = new SessionStore(services.GetKeyedService<IGrainStorage>(SessionStore.Name), this.GetGrainId());
        _journal = new SessionJournal(_store, Snapshot, Yield, time, logger);
        SessionRecord record = await _store.ReadAsync();
        if (record.Spec is not { } spec)
        {
            return;
        }

        (_spec, _created, _spent, _result, _delivered) = (spec, record.Created, record.Spent, record.Result, record.Result);
        _log = new TokenLog(spec.Prompt.Length);
        _log.Append(spec.Prompt.Length, record.Unpack());
        _log.Commit(_log.End);
        _state = _result is not null ? SessionState.Finished : record.IsPaused ? SessionState.Paused : SessionState.Queued;
        LogRestored(Id, _log.End, _state);
        ExpireAfter(Rest(options.Value.FirstViewerTimeout));
        if (_state == SessionState.Queued)
        {
            this.RegisterGrainTimer(GoOnAsync, new GrainTimerCreationOptions(TimeSpan.Zero, Timeout.InfiniteTimeSpan) { Interleave = true });
        }
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _run.Stop();
        return _journal.CloseAsync();
    }

    public async Task<SessionDescription> StartAsync(GenerationSpec spec, ReplicaId replica)
    {
        if (_spec is null)
        {
            (_spec, _log, _created) = (spec, new TokenLog(spec.Prompt.Length), time.GetUtcNow());
            try
            {
                await _run.StartAsync(replica);
                await StoreFirstAsync();
            }
            catch
            {
                await ForgetAsync();
                throw;
            }

            if (_viewers == 0 && _result is null)
            {
                ExpireAfter(Rest(options.Value.FirstViewerTimeout));
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
                await _run.ResumeAsync();
            }

            for (int position = fromPosition; ;)
            {
                Task changed = _log.Changed;
                if (_log.From(position) is { Length: > 0 } tokens)
                {
                    yield return new SessionUpdate(position, tokens, null);
                    position += tokens.Length;
                }
                else if (_delivered is not null)
                {
                    yield return new SessionUpdate(position, [], _delivered);
                    yield break;
                }
                else
                {
                    // Throws where it has expired, or goes on elsewhere.
                    _ = Spec;
                    await changed.WaitAsync(cancellationToken);
                }
            }
        }
        finally
        {
            Leave();
        }
    }

    public async Task<SessionDescription> CancelAsync()
    {
        _ = Spec;
        Finish(SessionEnd.Cancelled, "");
        await _journal.CommitAsync();
        return Describe();
    }

    public async Task<SessionDescription> PauseAsync()
    {
        _ = Spec;
        if (_result is null)
        {
            // One that is paused may be about to go on.
            _state = SessionState.Paused;
            _run.Stop();
            await _journal.CommitAsync();
        }

        return Describe();
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

    GenerationSpec Spec => _isLost ? throw new OrleansException($"session {Id} goes on in another activation") : _spec ?? throw NotFound();

    IgptException NotFound()
    {
        DeactivateOnIdle();
        return new IgptException(IgptErrorCode.SessionNotFound, $"no session '{Id}': it never was, has expired, or its silo was lost");
    }

    GenerationSpec ISessionOwner.Spec => Spec;

    int[] ISessionOwner.Tokens => _log.ToArray();

    void ISessionOwner.TakeQueued(bool isResumption)
    {
        _state = SessionState.Queued;
        _spent = _spent with { Resumptions = _spent.Resumptions + (isResumption ? 1 : 0) };
    }

    void ISessionOwner.TakeLoss() => _state = SessionState.Queued;

    void ISessionOwner.Fail(string message) => Finish(SessionEnd.Failed, message);

    (SessionRecord Record, Action Stored) Snapshot()
    {
        (int end, SessionResult? result) = (_log.End, _result);
        var record = new SessionRecord
        {
            Spec = Spec,
            Tokens = _store.IsDurable ? SessionRecord.Pack(_log.ToArray()) : [],
            IsPaused = _state == SessionState.Paused,
            Result = result,
            Created = _created,
            Spent = _spent,
        };
        return (record, () =>
        {
            _delivered = result;
            _log.Commit(end);
        }
        );
    }

    async Task StoreFirstAsync()
    {
        try
        {
            await _journal.CommitAsync();
        }
        catch (Exception failure)
        {
            LogNotStored(failure, Id);
            throw new IgptException(IgptErrorCode.StoreUnavailable, "the session cannot be stored, so it was not started: the cluster's store does not answer. Try again in a moment")
            {
                RetryAfter = StoreRetry,
            };
        }
    }

    /// <summary>Another activation has written: the session is that one's from now on.</summary>
    void Yield(InconsistentStateException taken)
    {
        LogTaken(taken, Id);
        _isLost = true;
        _run.Stop();
        _log.Signal();
        DeactivateOnIdle();
    }

    /// <summary>After a restoration. Whoever brought the activation about may have paused or ended it meanwhile.</summary>
    Task GoOnAsync(CancellationToken cancellationToken) =>
        _state == SessionState.Queued && _spec is not null ? _run.ReplaceAsync(new OrleansException("its silo was lost")) : Task.CompletedTask;

    void ISessionOwner.Take(SessionUpdate update)
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
            Finish(result.End, result.Message);
        }
        else
        {
            bool isFirst = _log.End == Spec.Prompt.Length;
            _state = SessionState.Running;
            _log.Append(update.Position, update.Tokens);
            if (isFirst || _log.End / Spec.Width > _log.CommittedEnd / Spec.Width)
            {
                _journal.CommitAsync().Ignore();
            }
            else
            {
                _journal.CommitWithin(options.Value.CommitInterval);
            }
        }
    }

    void Finish(SessionEnd end, string message)
    {
        if (_result is not null)
        {
            return;
        }

        _run.Stop();
        _state = SessionState.Finished;
        _result = new SessionResult(end, message, _spent);
        _journal.CommitAsync().Ignore();
        LogFinished(Id, end, _log.End - Spec.Prompt.Length, message);
        if (_viewers == 0)
        {
            ExpireAfter(Rest(options.Value.FinishedRetention));
        }
    }

    /// <summary>How long it is kept without viewers.</summary>
    TimeSpan Rest(TimeSpan usual) => Spec.TimeToLive > TimeSpan.Zero ? Spec.TimeToLive : usual;

    void Enter()
    {
        _viewers++;
        _expires = null;
        _expiry?.Dispose();
    }

    void Leave()
    {
        if (--_viewers > 0 || _spec is null || _isLost)
        {
            return;
        }

        if (_result is null && _spec.TimeToLive == TimeSpan.Zero)
        {
            Finish(SessionEnd.Cancelled, "");
        }
        else
        {
            ExpireAfter(Rest(options.Value.FinishedRetention));
        }
    }

    void ExpireAfter(TimeSpan delay)
    {
        _expires = time.GetUtcNow() + delay;
        _expiry?.Dispose();
        _expiry = this.RegisterGrainTimer(Expire, new GrainTimerCreationOptions(delay, Timeout.InfiniteTimeSpan) { Interleave = true });
    }

    async Task Expire(CancellationToken cancellationToken)
    {
        if (_viewers == 0 && _spec is not null)
        {
            if (_result is null)
            {
                LogFinished(Id, SessionEnd.Expired, _log.End - Spec.Prompt.Length, "");
            }

            await ForgetAsync();
            await _store.ClearAsync();
        }
    }

    async Task ForgetAsync()
    {
        _spec = null;
        _run.Stop();
        _expiry?.Dispose();
        _log.Signal();
        DeactivateOnIdle();
        await _journal.CloseAsync();
    }

    SessionDescription Describe() => new()
    {
        Id = Id,
        Spec = Spec,
        State = _result is not null && _delivered is null ? SessionState.Running : _state, // an end that is not stored yet may still be undone
        Result = _delivered,
        Position = _log.CommittedEnd,
        Replica = _run.Replica,
        Created = _created,
        Expires = _expires,
    };
}
