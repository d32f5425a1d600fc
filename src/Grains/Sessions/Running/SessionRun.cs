using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;
using IgptCluster.Grains.Sessions.State;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Sessions.Running;

/// <summary>
/// Where a session's generation runs: has a replica queue it, and reports what that makes of it. What it does is ordered by <see cref="SessionState"/>; each order ends
/// what the one before began, and its number (<see cref="SessionState.Run"/>) goes along with all that is reported. One grain's turns only.
/// </summary>
/// <param name="id">The session.</param>
/// <param name="session">The session as it is now.</param>
/// <param name="report">Told what happens.</param>
/// <param name="grains">Reaches the replicas.</param>
/// <param name="options">How long a replica is looked for.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class SessionRun(
    SessionId id, Func<SessionState> session, Action<SessionEvent> report, IGrainFactory grains, SessionOptions options, TimeProvider time, ILogger logger)
{
    static readonly TimeSpan SearchInterval = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan StrandedInterval = TimeSpan.FromSeconds(2);

    CancellationTokenSource? _generation;
    long? _lost; // when its replica was, until there is a token again

    /// <summary>Completes when the latest order to generate is carried out, a replica has queued the session, or a later order has come; fails with what refused it.</summary>
    internal Task Attempt { get; private set; } = Task.CompletedTask;

    /// <summary>Carries out an order, in the background.</summary>
    /// <param name="order">The order.</param>
    internal void Carry(RunOrder order)
    {
        // Ends the replica's enumeration, which frees the KV slot between two steps.
        CancellationTokenSource? generation = _generation;
        _generation = null;
        generation?.Cancel();
        int run = session().Run;
        Attempt = order switch
        {
            RunOrder.On on => AskOnceAsync(run, () => QueueAsync(run, on.Replica)),
            RunOrder.Beside beside => AskOnceAsync(run, () => QueueBesideAsync(run, beside.Replica)),
            RunOrder.Anywhere => AskOnceAsync(run, () => QueueAnywhereAsync(run)),
            RunOrder.Search search => SearchAsync(run, search),
            _ => Attempt,
        };
        Attempt.Ignore();
    }

    async Task AskOnceAsync(int run, Func<Task> queue)
    {
        try
        {
            await queue();
        }
        catch
        {
            report(new SessionEvent.Refused(run));
            throw;
        }
    }

    /// <summary>Asks until a replica takes it or another order comes.</summary>
    async Task SearchAsync(int run, RunOrder.Search order)
    {
        long since = time.GetTimestamp();
        _lost = order.IsLoss ? since : null;
        bool isStranded = false;
        while (session().Run == run)
        {
            try
            {
                await QueueAnywhereAsync(run, order.Left, isReadmission: true);
                return;
            }
            catch (Exception exception) when (session().Run == run)
            {
                // The cluster may need a moment to see the loss and to start another replica.
                if (!isStranded && time.GetElapsedTime(since) >= options.ResumeTimeout)
                {
                    isStranded = true;
                    report(new SessionEvent.SearchedInVain(run, $"{order.Because} and found no other: {exception.Message}"));
                }
            }

            await Task.Delay(isStranded ? StrandedInterval : SearchInterval, time);
        }
    }

    async Task QueueBesideAsync(int run, ReplicaId? parent)
    {
        try
        {
            if (parent is { } replica)
            {
                await QueueAsync(run, replica);
                return;
            }
        }
        catch (Exception refused) when (refused is OrleansException or TimeoutException or IgptException { RetryAfter: not null })
        {
            LogNotBeside(refused, id, parent!.Value);
        }

        await QueueAnywhereAsync(run);
    }

    /// <summary>Queues it on a replica with room, on the one it left only if there is no other.</summary>
    async Task QueueAnywhereAsync(int run, ReplicaId? left = null, bool isReadmission = false)
    {
        string model = session().Spec.Model;
        ReplicaStatus[] replicas = await grains.GetGrain<IModelGrain>(model).GetReplicasAsync();
        ReplicaStatus[] others = [.. replicas.Where(replica => replica.Id != left)];
        ReplicaId? chosen = isReadmission
            ? await ReplicaChoice.ChooseFromCrowdAsync(grains, others, Random.Shared, time)
            : await ReplicaChoice.ChooseAsync(grains, others, Random.Shared, time);
        chosen ??= ReplicaChoice.Roomiest(replicas)?.Id;
        await QueueAsync(run, chosen ?? throw ReplicaChoice.NoneReady(replicas, model), isReadmission);
    }

    /// <summary>Queues the rest on a replica; changes nothing if another order has come meanwhile.</summary>
    async Task QueueAsync(int run, ReplicaId replica, bool isReadmission = false)
    {
        var generation = new CancellationTokenSource();
        IAsyncEnumerator<SessionUpdate> updates = grains.GetGrain<IReplicaGrain>(replica.ToString())
            .GenerateAsync(id, session().Spec, session().Tokens.ToArray(), isReadmission, generation.Token).GetAsyncEnumerator(generation.Token);
        try
        {
            await updates.MoveNextAsync();
        }
        catch
        {
            await updates.DisposeAsync();
            throw;
        }

        if (session().Run != run)
        {
            await generation.CancelAsync();
            await LeaveAsync(updates, generation);
            return;
        }

        _generation = generation;
        report(new SessionEvent.Placed(run, replica));
        FollowAsync(run, replica, updates, generation).Ignore();
    }

    /// <summary>Reports what the replica makes until it ends, another order comes, or the replica is lost.</summary>
    async Task FollowAsync(int run, ReplicaId replica, IAsyncEnumerator<SessionUpdate> updates, CancellationTokenSource generation)
    {
        long queued = time.GetTimestamp();
        Exception? lost = null;
        try
        {
            while (await updates.MoveNextAsync() && session().Run == run)
            {
                TellWentOn(replica, queued);
                if (updates.Current.Result is { } result)
                {
                    _generation = null;
                    report(new SessionEvent.Ended(run, result));
                }
                else
                {
                    report(new SessionEvent.Made(run, updates.Current.Position, updates.Current.Tokens));
                }
            }

            lost = session().Run == run ? new OrleansException("its generation broke off") : null;
        }
        catch (Exception exception) when (session().Run != run)
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
            LogReplicaLost(id, replica, lost.FirstLine());
            _generation = null;
            report(new SessionEvent.Lost(run, lost.FirstLine()));
        }
    }

    static async Task LeaveAsync(IAsyncEnumerator<SessionUpdate> updates, CancellationTokenSource generation)
    {
        using (generation)
        {
            await updates.DisposeAsync();
        }
    }

    void TellWentOn(ReplicaId replica, long queued)
    {
        if (_lost is { } lost)
        {
            _lost = null;
            LogWentOn(id, replica, time.GetElapsedTime(lost).TotalMilliseconds, time.GetElapsedTime(queued).TotalMilliseconds);
        }
    }

    [LoggerMessage(1202, LogLevel.Warning, "Session {Session} lost replica {Replica}: {Reason}")]
    partial void LogReplicaLost(SessionId session, ReplicaId replica, string reason);

    [LoggerMessage(1203, LogLevel.Debug, "Session {Session} stopped generating")]
    partial void LogStopped(Exception exception, SessionId session);

    [LoggerMessage(1207, LogLevel.Debug, "Session {Session} cannot be forked on replica {Replica}")]
    partial void LogNotBeside(Exception refused, SessionId session, ReplicaId replica);

    [LoggerMessage(1210, LogLevel.Information, "Session {Session} goes on on replica {Replica}, {Milliseconds:0} ms after its loss was noticed, {Queued:0} ms after it was queued there")]
    partial void LogWentOn(SessionId session, ReplicaId replica, double milliseconds, double queued);
}
