using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Sessions.Lifetime;
using IgptCluster.Grains.Sessions.Running;
using IgptCluster.Grains.Sessions.State;
using IgptCluster.Grains.Sessions.Storage;
using IgptCluster.Grains.Sessions.Viewing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;
using Orleans.Storage;
using Orleans.Timers;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// One generation. Each call is checked, applied to the <see cref="SessionState"/> as an event, and answered when the effects are stored; so is what the run, the store and the clock report.
/// What is delivered is stored before: a lost replica costs a prefill elsewhere, and so does a lost activation, which the next call or its alarm makes anew. Where no storage is configured it
/// costs the session, unless its silo leaves in good order.
/// </summary>
[DeviceSiloFilter, CollectionAgeLimit(Minutes = 2), Reentrant, GrainType("igpt.session")]
internal sealed partial class SessionGrain : Grain, ISessionGrain, IRemindable, IGrainMigrationParticipant
{
    const string Handed = "session";

    readonly SessionOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly SessionStore _store;
    readonly SessionJournal _journal;
    readonly SessionRun _run;
    readonly SessionRetention _retention;
    readonly SessionAlarm _alarm;
    readonly SessionRemoval _removal;
    readonly SessionViewing _viewing;
    readonly Queue<SessionEvent> _events = []; // that effects have brought about
    SessionState? _state; // null: there is no session
    SessionRecord? _handed; // by its activation on a silo that is leaving
    Task _starting = Task.CompletedTask;
    bool _isApplying;

    public SessionGrain(IOptions<SessionOptions> options, IServiceProvider services, TimeProvider time, ILogger<SessionGrain> logger)
    {
        (_options, _time, _logger) = (options.Value, time, logger);
        GrainId grain = GrainContext.GrainId;
        _store = new SessionStore(services.GetKeyedService<IGrainStorage>(SessionStore.Name), grain);
        _retention = new SessionRetention(this, ExpireAsync, time);
        _journal = new SessionJournal(_store, () => _state!, () => _retention.Expires, happened => Apply(happened), time, logger);
        _alarm = new SessionAlarm(_store.IsDurable ? services.GetService<IReminderRegistry>() : null, grain, _retention, _journal.FlushAsync, time, logger);
        _run = new SessionRun(Id, () => _state!, happened => Apply(happened), GrainFactory, _options, time, logger);
        _removal = new SessionRemoval(Id, _store, _journal, _retention, _alarm, time, logger);
        _viewing = new SessionViewing(Id, () => State);
    }

    SessionId Id => new(this.GetPrimaryKeyString());

    /// <summary>The session; null if there is none.</summary>
    SessionState? Known => _state switch
    {
        { Phase: SessionPhase.Taken } => throw new OrleansException($"session {Id} goes on in another activation"),
        { Phase: SessionPhase.Forgotten } => null,
        _ => _state,
    };

    SessionState State => Known ?? throw NotFound();

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        if ((_handed ?? await _store.ReadAsync()) is { Spec: not null } record)
        {
            _state = SessionState.Restore(record, _options);
            _retention.StayInMemory();
            LogRestored(Id, _state.Tokens.End, _state.Phase);
            TimeSpan? left = record.Expires - _time.GetUtcNow();
            Apply(new SessionEvent.Restored(left < TimeSpan.Zero ? TimeSpan.Zero : left));

            // Whoever has brought the activation about may pause or end it first.
            this.RegisterGrainTimer(_ => Task.FromResult(Apply(new SessionEvent.Awoken())), new GrainTimerCreationOptions(TimeSpan.Zero, Timeout.InfiniteTimeSpan) { Interleave = true });
        }
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _removal.Close();
        _alarm.Close();
        if (_state is not null)
        {
            _run.Carry(new RunOrder.Stop());
        }

        return _journal.CloseAsync();
    }

    public void OnDehydrate(IDehydrationContext dehydrationContext)
    {
        if (!_store.IsDurable && Known is { } session)
        {
            dehydrationContext.TryAddValue(Handed, session.ToRecord(_retention.Expires));
        }
    }

    public void OnRehydrate(IRehydrationContext rehydrationContext) => rehydrationContext.TryGetValue(Handed, out _handed);

    public async Task<bool> StartAsync(GenerationSpec spec, ReplicaId replica, Guid attempt = default)
    {
        if (Known is not { } known)
        {
            await BeginAsync(new SessionRecord { Spec = spec, Created = _time.GetUtcNow(), Attempt = attempt }, new RunOrder.On(replica));
            return true;
        }

        if (!known.Spec.IsSameAs(spec))
        {
            throw new IgptException(IgptErrorCode.InvalidArgument, "operation_id: the first call with this id asked for something else: use an id once") { Field = "operation_id" };
        }

        await JoinAsync(attempt);
        return false;
    }

    public async Task<SessionDescription> StartForkAsync(SessionOrigin origin, Guid attempt = default)
    {
        var begun = new SessionRecord { Spec = origin.Spec, Created = _time.GetUtcNow(), Parent = origin.Parent, Tokens = SessionRecord.Pack(origin.Tokens), Attempt = attempt };
        await (Known is null ? BeginAsync(begun, new RunOrder.Beside(origin.Replica)) : JoinAsync(attempt));
        return Describe();
    }

    public Task WithdrawAsync(Guid attempt)
    {
        if (Known is not null && Apply(new SessionEvent.Withdrawn(attempt)).Exit == SessionExit.Remove)
        {
            LogWithdrawn(Id);
        }

        return Task.CompletedTask;
    }

    public Task<SessionDescription> GetAsync() => Task.FromResult(Describe());

    public Task<SessionSnapshot> PeekAsync() => Task.FromResult(new SessionSnapshot(Describe(), State.Tokens.From(State.Spec.Prompt.Length)));

    public async IAsyncEnumerable<SessionUpdate> ReadAsync(int fromPosition, int? rewinds = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        SessionState session = State;
        session.Spec.RequireReadableFrom(fromPosition);
        int seen = rewinds ?? session.Rewinds;
        Apply(new SessionEvent.ViewerCame());
        try
        {
            await ResumedAsync(session);
            await foreach (SessionUpdate update in _viewing.ReadAsync(fromPosition, seen, cancellationToken))
            {
                yield return update;
            }
        }
        finally
        {
            Apply(new SessionEvent.ViewerLeft());
        }
    }

    public async Task<SessionDescription> ForkAsync(SessionId child, SessionBranch branch, Guid attempt = default)
    {
        SessionState session = State;
        session.Require(branch, "at_position");
        int[] shared = session.Tokens.ToArray()[..(branch.Position - session.Spec.Prompt.Length)];
        return await GrainFactory.GetGrain<ISessionGrain>(child.ToString()).StartForkAsync(new SessionOrigin(Id, branch.Apply(session.Spec), shared, session.Replica), attempt);
    }

    public Task<SessionDescription> RewindAsync(SessionBranch branch)
    {
        SessionState session = State;
        if (!session.Operations.Has(branch.Operation))
        {
            session.Require(branch, "to_position");
            LogRewound(Id, branch.Position);
        }

        return ChangeAsync(new SessionEvent.Rewound(branch));
    }

    public Task<SessionDescription> CancelAsync(string operation = "") => ChangeAsync(new SessionEvent.Cancelled(operation));

    public Task<SessionDescription> PauseAsync(string operation = "") => ChangeAsync(new SessionEvent.Paused(operation));

    public async Task<SessionDescription> ResumeAsync(string operation = "")
    {
        SessionState session = State;
        Apply(new SessionEvent.Resumed(operation));
        await ResumedAsync(session);
        return Describe();
    }

    public Task DeleteAsync()
    {
        LogDeleted(Id);
        if (Known is not null)
        {
            Apply(new SessionEvent.Deleted());
        }
        else if (_removal.Done.IsCompleted)
        {
            DeactivateOnIdle();
        }

        return _removal.Done;
    }

    public Task AbandonAsync(bool pause)
    {
        if (Known is not null)
        {
            Apply(new SessionEvent.Abandoned(pause));
        }

        return Task.CompletedTask;
    }

    public async Task ReceiveReminder(string reminderName, TickStatus status)
    {
        if (_state is null)
        {
            // Nothing is left to be woken.
            await _alarm.StopAsync();
            DeactivateOnIdle();
        }
        else if (_retention.HasExpired)
        {
            await ExpireAsync();
        }
    }

    /// <summary>Queues a new session and stores it, or leaves nothing of it.</summary>
    Task BeginAsync(SessionRecord record, RunOrder order)
    {
        if (_state is not null)
        {
            // What was to be forgotten is still being removed.
            throw NotStored();
        }

        _state = SessionState.New(record, _options);
        _retention.StayInMemory();
        _alarm.TakeNew();
        return _starting = QueueAndStoreAsync(order);
    }

    async Task QueueAndStoreAsync(RunOrder order)
    {
        Apply(new SessionEvent.Started(order));
        await _run.Attempt;
        try
        {
            await _journal.FlushAsync();
        }
        catch (Exception failure)
        {
            LogNotStored(failure, Id);
            throw failure is IgptException { Code: IgptErrorCode.StoreFull } ? failure : NotStored();
        }

        await _alarm.SettledAsync();
    }

    /// <summary>A second call waits for what the first has begun, and shares its failure.</summary>
    async Task JoinAsync(Guid attempt)
    {
        Apply(new SessionEvent.Joined(attempt));
        await _starting;
        await SettledAsync();
    }

    async Task<SessionDescription> ChangeAsync(SessionEvent change)
    {
        _ = State;
        Apply(change);
        await SettledAsync();
        return Describe();
    }

    async Task ResumedAsync(SessionState session)
    {
        if (session.Phase == SessionPhase.Resuming)
        {
            await _run.Attempt;
            await SettledAsync();
        }
    }

    /// <summary>Completes when what has been applied is stored and the alarm is set for it: then it can be told.</summary>
    async Task SettledAsync()
    {
        await _journal.FlushAsync();
        await _alarm.SettledAsync();
    }

    async Task ExpireAsync()
    {
        if (Apply(new SessionEvent.Expired()).Exit == SessionExit.Remove && _state is { Result: null } session)
        {
            LogFinished(Id, SessionEnd.Expired, session.Tokens.End - session.Spec.Prompt.Length, "");
        }

        await _removal.Done;
    }

    /// <summary>Applies an event and carries out its effects. Events that these bring about wait their turn.</summary>
    Effects Apply(SessionEvent happened)
    {
        _events.Enqueue(happened);
        Effects first = default;
        if (!_isApplying)
        {
            _isApplying = true;
            try
            {
                first = ApplyOne(_events.Dequeue());
                while (_events.TryDequeue(out SessionEvent? next))
                {
                    ApplyOne(next);
                }
            }
            finally
            {
                _isApplying = false;
            }
        }

        return first;
    }

    Effects ApplyOne(SessionEvent happened)
    {
        SessionState session = _state!;
        SessionResult? before = session.Result;
        Effects effects = session.Apply(happened);
        if (session.Result is { } result && result != before)
        {
            LogFinished(Id, result.End, session.Tokens.End - session.Spec.Prompt.Length, result.Message);
        }

        Execute(effects);
        return effects;
    }

    /// <summary>In this order: a write takes along when the session expires.</summary>
    void Execute(Effects effects)
    {
        if (effects.Run is { } order)
        {
            _run.Carry(order);
        }

        if (effects.Retention is { } delay)
        {
            _retention.KeepFor(delay);
        }

        if (effects.Commit == CommitDemand.Now)
        {
            _journal.CommitNow();
        }
        else if (effects.Commit == CommitDemand.Soon)
        {
            _journal.CommitWithin(_options.CommitInterval);
        }

        if (effects.Alarm is { } alarm)
        {
            _alarm.Demand(alarm);
        }

        if (effects.Signal)
        {
            _viewing.Wake();
        }

        if (effects.Exit == SessionExit.Remove)
        {
            _removal.Begin(DeactivateOnIdle);
        }
        else if (effects.Exit == SessionExit.Leave)
        {
            LogTaken(Id);
            _alarm.Close();
            DeactivateOnIdle();
        }
    }

    SessionDescription Describe() => State.Describe(Id, _retention.Expires);

    IgptException NotFound()
    {
        if (_removal.Done.IsCompleted)
        {
            DeactivateOnIdle();
        }

        return new IgptException(IgptErrorCode.SessionNotFound, $"no session '{Id}': it never was, has expired, or its silo was lost");
    }

    static IgptException NotStored() => new(
        IgptErrorCode.StoreUnavailable, "the session cannot be stored, so it was not started: the cluster's store does not answer. Try again in a moment")
    { RetryAfter = SessionRemoval.Retry };
}
