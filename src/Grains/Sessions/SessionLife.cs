using IgptCluster.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Storage;
using Orleans.Timers;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// What happens to one session between the calls of its grain: it is restored, queued, stored, paused, parked, ended, forgotten. Joins the session's story, the run that makes
/// its tokens, the journal that stores them, and what keeps it. The grain's turns only.
/// </summary>
internal sealed partial class SessionLife : ISessionOwner
{
    static readonly TimeSpan StoreRetry = TimeSpan.FromSeconds(2);
    static readonly TimeSpan StrandedRetry = TimeSpan.FromSeconds(2);

    readonly IGrainBase _grain;
    readonly IServiceProvider _services;
    readonly SessionOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _logger;
    readonly SessionStore _store;
    Task _starting = Task.CompletedTask;
    Task _removing = Task.CompletedTask; // of what was withdrawn
    bool _isEnding; // the activation ends
    IgptException? _stranded; // while it waits for a replica in vain
    bool _isLost; // another activation has the session

    /// <summary>Nothing yet: <see cref="RestoreAsync"/> or <see cref="BeginAsync"/> gives it a story.</summary>
    internal SessionLife(IGrainBase grain, IServiceProvider services, SessionOptions options, TimeProvider time, ILogger logger)
    {
        (_grain, _services, _options, _time, _logger) = (grain, services, options, time, logger);
        Id = new SessionId(grain.GrainContext.GrainId.Key.ToString()!);
        _store = new SessionStore(services.GetKeyedService<IGrainStorage>(SessionStore.Name), grain.GrainContext.GrainId);
        Retention = new SessionRetention(grain, null, ExpireAsync, time, logger);
        Run = new SessionRun(Id, this, services.GetRequiredService<IGrainFactory>(), options, time, logger);
        Journal = new SessionJournal(_store, () => Story.Snapshot(_store.IsDurable, Retention.Expires), Yield, time, logger);
    }

    /// <summary>The session.</summary>
    internal SessionId Id { get; }

    /// <summary>Where it runs.</summary>
    internal SessionRun Run { get; }

    /// <summary>Brings it to storage.</summary>
    internal SessionJournal Journal { get; }

    /// <summary>How long it is kept.</summary>
    internal SessionRetention Retention { get; private set; }

    /// <summary>Its story; null if there is none, or another activation has it.</summary>
    internal SessionStory? Known { get; private set; }

    /// <summary>Its story.</summary>
    /// <exception cref="IgptException">SessionNotFound.</exception>
    internal SessionStory Story => _isLost ? throw new OrleansException($"session {Id} goes on in another activation") : Known ?? throw NotFound();

    /// <summary>What the next activation needs that it does not find in storage; null if nothing.</summary>
    internal SessionRecord? HandOver() => Known is { } story && !_store.IsDurable ? story.Snapshot(withTokens: true, Retention.Expires).Record : null;

    /// <summary>Takes up what is stored, or was handed over.</summary>
    /// <param name="handed">What the activation before this one handed over.</param>
    internal async Task RestoreAsync(SessionRecord? handed)
    {
        if ((handed ?? await _store.ReadAsync()) is not { Spec: not null } record)
        {
            return;
        }

        Adopt(new SessionStory(record));
        LogRestored(Id, Story.Log.End, Story.State);
        Retention.ExpireAfter(record.Expires is { } expires ? NotNegative(expires - _time.GetUtcNow()) : Rest(_options.FirstViewerTimeout));
        _grain.RegisterGrainTimer(GoOnAsync, new GrainTimerCreationOptions(TimeSpan.Zero, Timeout.InfiniteTimeSpan) { Interleave = true });
    }

    /// <summary>Queues a new session and stores it, or leaves nothing of it.</summary>
    /// <param name="story">The session.</param>
    /// <param name="queue">Queues it.</param>
    /// <exception cref="IgptException">What refused it; StoreUnavailable.</exception>
    internal Task BeginAsync(SessionStory story, Func<SessionRun, Task> queue)
    {
        if (!_removing.IsCompleted)
        {
            throw NotStored();
        }

        Adopt(story);
        return _starting = BeginOnceAsync(queue);
    }

    /// <summary>A second call waits for what the first has begun, and shares its failure; the session is the second's from then on.</summary>
    /// <param name="attempt">The second's attempt.</param>
    /// <returns>False: it had been started before.</returns>
    internal async Task<bool> JoinStartAsync(Guid attempt)
    {
        bool isNews = Story.TryJoin(attempt);
        await _starting;
        await (isNews ? Journal.CommitAsync() : Task.CompletedTask);
        return false;
    }

    /// <summary>Leaves nothing of a session of which nobody has been told: what is stored of it is removed as soon as the store answers, and there is none from now on.</summary>
    internal async Task WithdrawAsync()
    {
        End();
        await Journal.CloseAsync();
        _removing = _removing.IsCompleted ? RemoveAsync() : _removing;
    }

    /// <summary>Gives the slot back until it is resumed.</summary>
    internal async Task PauseAsync()
    {
        // One that is paused may be about to go on.
        Story.State = SessionState.Paused;
        _stranded = null;
        Run.Stop();
        await Journal.CommitAsync();
        await Retention.TrySetAlarmAsync(isAtRest: true);
    }

    /// <summary>Goes on after a pause.</summary>
    internal async Task ResumeAsync()
    {
        await Run.ResumeAsync();
        await Journal.CommitAsync();
        await Retention.TrySetAlarmAsync(isAtRest: false);
    }

    /// <summary>Drops the tail and goes on from there.</summary>
    internal async Task RewindAsync(SessionBranch branch)
    {
        Run.Stop();
        _stranded = null;
        Story.Rewind(branch);
        Retention.ExpireAfter(Rest(_options.FirstViewerTimeout));
        await Journal.CommitAsync();
        await Retention.TrySetAlarmAsync(isAtRest: false);
        Run.GoOnAsync("was rewound", isResumption: false).Ignore();
    }

    /// <summary>It has ended.</summary>
    internal void Finish(SessionEnd end, string message)
    {
        SessionStory story = Story;
        if (story.Result is not null)
        {
            return;
        }

        Run.Stop();
        story.Finish(end, message);
        LogFinished(Id, end, story.Log.End - story.Spec.Prompt.Length, message);
        Retention.ExpireAfter(Rest(_options.FinishedRetention));
        Journal.CommitAsync().Ignore();
        Retention.TrySetAlarmAsync(isAtRest: true).Ignore();
    }

    /// <summary>A viewer has left.</summary>
    /// <param name="story">What it has seen.</param>
    internal void Leave(SessionStory story)
    {
        if (!Retention.Leave() || Known != story || _isLost)
        {
            return;
        }

        if (story.Result is null && story.Spec.TimeToLive == TimeSpan.Zero)
        {
            Finish(SessionEnd.Cancelled, "");
            return;
        }

        Retention.ExpireAfter(Rest(_options.FinishedRetention));
        if (story.IsAtRest)
        {
            // From now on it may leave the memory: when it expires must be known without.
            Journal.CommitWithin(_options.CommitInterval);
            Retention.TrySetAlarmAsync(isAtRest: true).Ignore();
        }
    }

    /// <summary>Throws where what a viewer has seen is not what it would see next, or waits for what does not come.</summary>
    /// <param name="rewinds">How often it had been rewound when the viewer came.</param>
    internal void RequireGoingOn(int rewinds)
    {
        if (Story.Rewinds != rewinds)
        {
            throw new IgptException(IgptErrorCode.SessionRewound, $"session {Id} was rewound while it was watched: attach again");
        }

        if (_stranded is { } why)
        {
            throw why;
        }
    }

    /// <summary>The cluster wakes it.</summary>
    internal async Task TakeAlarmAsync()
    {
        if (Known is not { } story)
        {
            // Nothing is left to be woken.
            await NewAlarm().StopAsync();
            _grain.DeactivateOnIdle();
        }
        else if (Retention.HasExpired)
        {
            await ExpireAsync();
        }
        else
        {
            await Retention.TrySetAlarmAsync(story.IsAtRest);
        }
    }

    /// <summary>Ends it, and leaves nothing of it.</summary>
    internal async Task ForgetAsync()
    {
        End();
        _grain.DeactivateOnIdle();
        await Journal.CloseAsync();
        if (!_isLost)
        {
            // In this order: while something is stored, something must wake it.
            await _store.ClearAsync();
            await Retention.StopAsync();
        }
    }

    /// <summary>The activation ends.</summary>
    internal Task StopAsync()
    {
        _isEnding = true;
        Run.Stop();
        return Journal.CloseAsync();
    }

    void End()
    {
        SessionStory? story = Known;
        Known = null;
        Run.Stop();
        story?.Log.Signal();
    }

    async Task RemoveAsync()
    {
        while (!_isLost && !_isEnding)
        {
            try
            {
                await _store.ClearAsync();
                await Retention.StopAsync();
                break;
            }
            catch (InconsistentStateException taken)
            {
                LogTaken(taken, Id);
                break;
            }
            catch (Exception failure)
            {
                LogNotRemoved(Id, failure.Message);
                await Task.Delay(StoreRetry, _time);
            }
        }

        _grain.DeactivateOnIdle();
    }

    GenerationSpec ISessionOwner.Spec => Story.Spec;

    int[] ISessionOwner.Tokens => Story.Log.ToArray();

    void ISessionOwner.TakeQueued(bool isResumption)
    {
        SessionStory story = Story;
        (story.State, _stranded) = (SessionState.Queued, null);
        story.Spent = story.Spent with { Resumptions = story.Spent.Resumptions + (isResumption ? 1 : 0) };
    }

    bool ISessionOwner.TryComplete()
    {
        SessionStory story = Story;
        if (story.Log.End < story.Spec.EndPosition)
        {
            return false;
        }

        Finish(story.Spec.EndPosition == story.Spec.Width * story.Spec.Height ? SessionEnd.Completed : SessionEnd.Length, "");
        return true;
    }

    void ISessionOwner.TakeLoss() => Story.State = SessionState.Queued;

    bool ISessionOwner.TakeStranded(string message)
    {
        if (Story.Spec.TimeToLive == TimeSpan.Zero)
        {
            Finish(SessionEnd.Failed, message);
            return false;
        }

        _stranded = new IgptException(IgptErrorCode.NoReplica, $"session {Id} {message}; it waits for one and goes on then: attach again") { RetryAfter = StrandedRetry };
        Story.Log.Signal();
        return true;
    }

    void ISessionOwner.Fail(string message) => Finish(SessionEnd.Failed, message);

    void ISessionOwner.Take(SessionUpdate update)
    {
        SessionStory story = Story;
        if (update.Result is { } result)
        {
            story.Spent = story.Spent.Add(result.Timings);
            Finish(result.End, result.Message);
            return;
        }

        bool isFirst = story.Log.End == story.Spec.Prompt.Length;
        story.State = SessionState.Running;
        story.Log.Append(update.Position, update.Tokens);
        if (isFirst || story.Log.End / story.Spec.Width > story.Log.CommittedEnd / story.Spec.Width)
        {
            Journal.CommitAsync().Ignore();
        }
        else
        {
            Journal.CommitWithin(_options.CommitInterval);
        }
    }

    void Adopt(SessionStory story)
    {
        bool isWoken = _store.IsDurable && story.Spec.TimeToLive > TimeSpan.Zero;
        Retention = new SessionRetention(_grain, isWoken ? NewAlarm() : null, ExpireAsync, _time, _logger);
        Retention.StayInMemory();
        Known = story;
    }

    async Task BeginOnceAsync(Func<SessionRun, Task> queue)
    {
        try
        {
            await queue(Run);
            await StoreFirstAsync();
        }
        catch
        {
            await WithdrawAsync();
            throw;
        }

        // What is stored has begun, and may have viewers, in another activation perhaps: only its alarm may still be missing.
        SessionStory story = Story;
        if (story.Result is null)
        {
            Retention.ExpireAfter(Rest(_options.FirstViewerTimeout));
        }

        if (!await Retention.TrySetAlarmAsync(story.IsAtRest))
        {
            SetAlarmLaterAsync(story).Ignore();
        }
    }

    async Task SetAlarmLaterAsync(SessionStory story)
    {
        do
        {
            await Task.Delay(StoreRetry, _time);
        }
        while (Known == story && !_isLost && !await Retention.TrySetAlarmAsync(story.IsAtRest));
    }

    async Task StoreFirstAsync()
    {
        try
        {
            await Journal.CommitAsync();
        }
        catch (Exception failure)
        {
            LogNotStored(failure, Id);
            throw NotStored();
        }
    }

    /// <summary>Another activation has written: the session is that one's from now on.</summary>
    void Yield(InconsistentStateException taken)
    {
        LogTaken(taken, Id);
        _isLost = true;
        Run.Stop();
        Known?.Log.Signal();
        _grain.DeactivateOnIdle();
    }

    /// <summary>After a restoration. Whoever brought the activation about may have paused or ended it meanwhile.</summary>
    async Task GoOnAsync(CancellationToken cancellationToken)
    {
        if (Known is { State: SessionState.Queued } && Run.Replica is null)
        {
            await Run.ReplaceAsync(new OrleansException("its silo was lost"));
        }
        else if (Known is { } story)
        {
            await Retention.TrySetAlarmAsync(story.IsAtRest);
        }
    }

    async Task ExpireAsync()
    {
        if (Retention.Viewers == 0 && Known is { } story)
        {
            if (story.Result is null)
            {
                LogFinished(Id, SessionEnd.Expired, story.Log.End - story.Spec.Prompt.Length, "");
            }

            await ForgetAsync();
        }
    }

    static IgptException NotStored() => new(
        IgptErrorCode.StoreUnavailable, "the session cannot be stored, so it was not started: the cluster's store does not answer. Try again in a moment")
    { RetryAfter = StoreRetry };

    IgptException NotFound()
    {
        if (_removing.IsCompleted)
        {
            _grain.DeactivateOnIdle();
        }

        return new IgptException(IgptErrorCode.SessionNotFound, $"no session '{Id}': it never was, has expired, or its silo was lost");
    }

    /// <summary>How long it is kept without viewers.</summary>
    TimeSpan Rest(TimeSpan usual) => Story.Spec.TimeToLive > TimeSpan.Zero ? Story.Spec.TimeToLive : usual;

    static TimeSpan NotNegative(TimeSpan delay) => delay > TimeSpan.Zero ? delay : TimeSpan.Zero;

    SessionAlarm NewAlarm() => new(_services.GetService<IReminderRegistry>(), _grain.GrainContext.GrainId, _logger);
}
