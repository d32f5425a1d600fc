using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Grains.Placement;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Concurrency;

namespace IgptCluster.Grains.Sessions;

/// <summary>
/// One generation: what it is, its token log, where it runs and who watches. What is delivered is stored before: a lost replica costs a prefill elsewhere,
/// and so does a lost activation, which the next call or its alarm makes anew. Where no storage is configured it costs the
/// session, unless its silo leaves in good order.
/// </summary>
[DeviceSiloFilter, CollectionAgeLimit(Minutes = 2), Reentrant, GrainType("igpt.session")]
internal sealed partial class SessionGrain(
    IOptions<SessionOptions> options, IServiceProvider services, TimeProvider time, ILogger<SessionGrain> logger) : Grain, ISessionGrain, IRemindable, IGrainMigrationParticipant
{
    const string Handed = "session";

    SessionLife _life = null!;
    SessionRecord? _handed; // by its activation on a silo that is leaving

    SessionId Id => new(this.GetPrimaryKeyString());

    SessionStory Story => _life.Story;

    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _life = new SessionLife(this, services, options.Value, time, logger);
        await _life.RestoreAsync(_handed);
    }

    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) => _life.StopAsync();

    public void OnDehydrate(IDehydrationContext dehydrationContext)
    {
        if (_life.HandOver() is { } record)
        {
            dehydrationContext.TryAddValue(Handed, record);
        }
    }

    public void OnRehydrate(IRehydrationContext rehydrationContext) => rehydrationContext.TryGetValue(Handed, out _handed);

    public async Task<bool> StartAsync(GenerationSpec spec, ReplicaId replica, Guid attempt = default)
    {
        if (_life.Known is { } known)
        {
            return known.Spec.IsSameAs(spec) ? await _life.JoinStartAsync(attempt) : throw new IgptException(
                IgptErrorCode.InvalidArgument, "operation_id: the first call with this id asked for something else: use an id once")
            {
                Field = "operation_id",
            };
        }

        await _life.BeginAsync(new SessionStory(spec, time.GetUtcNow(), attempt), run => run.StartAsync(replica));
        return true;
    }

    public async Task<SessionDescription> StartForkAsync(SessionOrigin origin, Guid attempt = default)
    {
        if (_life.Known is not null)
        {
            await _life.JoinStartAsync(attempt);
        }
        else
        {
            var story = new SessionRecord { Spec = origin.Spec, Created = time.GetUtcNow(), Parent = origin.Parent, Tokens = SessionRecord.Pack(origin.Tokens), Attempt = attempt };
            await _life.BeginAsync(new SessionStory(story), run => StartBesideAsync(run, origin.Replica));
        }

        return Describe();
    }

    public async Task WithdrawAsync(Guid attempt)
    {
        if (_life.Known is { } story && story.Attempt == attempt && _life.Retention.Viewers == 0)
        {
            LogWithdrawn(Id);
            await _life.WithdrawAsync();
        }
    }

    public Task<SessionDescription> GetAsync() => Task.FromResult(Describe());

    public async IAsyncEnumerable<SessionUpdate> ReadAsync(int fromPosition, int? rewinds = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        SessionStory story = Story;
        RequirePosition(story.Spec, fromPosition);
        int seen = rewinds ?? story.Rewinds;
        _life.Retention.Enter();
        try
        {
            if (story.State == SessionState.Paused)
            {
                await _life.ResumeAsync();
            }

            for (int position = fromPosition; ;)
            {
                Task changed = story.Log.Changed;
                _life.RequireGoingOn(seen);
                if (story.Log.From(position) is { Length: > 0 } tokens)
                {
                    yield return new SessionUpdate(position, tokens, null);
                    position += tokens.Length;
                }
                else if (story.Delivered is not null)
                {
                    yield return new SessionUpdate(position, [], story.Delivered);
                    yield break;
                }
                else
                {
                    await changed.WaitAsync(cancellationToken);
                }
            }
        }
        finally
        {
            _life.Leave(story);
        }
    }

    public async Task<SessionDescription> ForkAsync(SessionId child, SessionBranch branch, Guid attempt = default)
    {
        SessionStory story = Story;
        story.Require(branch, "at_position");
        int[] shared = story.Log.ToArray()[..(branch.Position - story.Spec.Prompt.Length)];
        return await GrainFactory.GetGrain<ISessionGrain>(child.ToString()).StartForkAsync(new SessionOrigin(Id, branch.Apply(story.Spec), shared, _life.Run.Replica), attempt);
    }

    public async Task<SessionDescription> RewindAsync(SessionBranch branch)
    {
        SessionStory story = Story;
        story.Require(branch, "to_position");
        if (story.TryBegin(branch.Operation))
        {
            LogRewound(Id, branch.Position);
            await _life.RewindAsync(branch);
        }

        return Describe();
    }

    public async Task<SessionDescription> CancelAsync(string operation = "")
    {
        if (Story.TryBegin(operation))
        {
            _life.Finish(SessionEnd.Cancelled, "");
            await _life.Journal.CommitAsync();
        }

        return Describe();
    }

    public async Task<SessionDescription> PauseAsync(string operation = "")
    {
        SessionStory story = Story;
        if (story.TryBegin(operation) && story.Result is null)
        {
            await _life.PauseAsync();
        }

        return Describe();
    }

    public async Task<SessionDescription> ResumeAsync(string operation = "")
    {
        SessionStory story = Story;
        if (story.State == SessionState.Paused && story.TryBegin(operation))
        {
            await _life.ResumeAsync();
        }

        return Describe();
    }

    public Task DeleteAsync()
    {
        LogDeleted(Id);
        return _life.ForgetAsync();
    }

    public Task AbandonAsync(bool pause)
    {
        if (_life.Known is not { Result: null } story || _life.Retention.Viewers > 0)
        {
            return Task.CompletedTask;
        }

        if (story.Spec.TimeToLive == TimeSpan.Zero)
        {
            _life.Finish(SessionEnd.Cancelled, "");
            return Task.CompletedTask;
        }

        return pause ? PauseAsync() : Task.CompletedTask;
    }

    public Task ReceiveReminder(string reminderName, TickStatus status) => _life.TakeAlarmAsync();

    /// <summary>Queues it where its parent's KV rows are, else wherever there is room.</summary>
    async Task StartBesideAsync(SessionRun run, ReplicaId? parent)
    {
        try
        {
            if (parent is { } replica)
            {
                await run.StartAsync(replica);
                return;
            }
        }
        catch (Exception refused) when (refused is OrleansException or TimeoutException or IgptException { RetryAfter: not null })
        {
            LogNotBeside(refused, Id, parent!.Value);
        }

        await run.ResumeAsync(isResumption: false);
    }

    static void RequirePosition(GenerationSpec spec, int position)
    {
        if (position < spec.Prompt.Length || position > spec.EndPosition)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"from_position must lie between the prompt's end, {spec.Prompt.Length}, and the generation's, {spec.EndPosition}; given {position}")
            {
                Field = "from_position",
            };
        }
    }

    SessionDescription Describe() => Story.Describe(Id, _life.Run.Replica, _life.Retention.Expires);
}
