using IgptCluster.Contracts;
using IgptCluster.Grains.Heads;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Models;

/// <summary>
/// The heads that clients put on one model, as its grain has them: stored before they hold, and brought together with what replicas have. One grain's turns only; changes one at
/// a time.
/// </summary>
/// <param name="model">The model's name.</param>
/// <param name="store">Where they are stored.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class ModelHeads(string model, HeadStore store, TimeProvider time, ILogger logger)
{
    static readonly TimeSpan StoreRetry = TimeSpan.FromSeconds(2);

    readonly HeadTable _table = new();

    /// <summary>Changes with the heads; the same as of a replica that has all of them.</summary>
    internal string Version => _table.Version;

    /// <summary>Takes up what is stored.</summary>
    internal async Task RestoreAsync()
    {
        foreach (HeadChange change in await store.ReadAsync())
        {
            _table.Apply(change);
        }
    }

    /// <summary>The last change of a name; null if there was none.</summary>
    internal HeadChange? Find(string name) => _table.Find(name);

    /// <summary>The change that puts a head: what replaces another keeps its place.</summary>
    internal HeadChange Put(HeadSpec head)
    {
        long revision = NextRevision();
        return new HeadChange(head.Name, revision, _table.Find(head.Name) is { Head: not null } replaced ? replaced.Created : revision, head);
    }

    /// <summary>The change that deletes a head.</summary>
    /// <exception cref="IgptException">HeadNotFound.</exception>
    internal HeadChange Delete(string name) => _table.Find(name) is { Head: not null } deleted
        ? deleted with { Revision = NextRevision(), Head = null }
        : throw new IgptException(IgptErrorCode.HeadNotFound, $"model '{model}' has no head {Echo.Quoted(name)}: nothing was deleted") { Field = "head" };

    /// <summary>Makes a change hold.</summary>
    /// <exception cref="IgptException">StoreUnavailable, StoreFull: nothing was changed.</exception>
    internal async Task ApplyAsync(HeadChange change)
    {
        try
        {
            await store.WriteAsync(change, _table.Stamps.Select(stamp => stamp.Name));
        }
        catch (Exception failure) when (failure is not IgptException { Code: IgptErrorCode.StoreFull })
        {
            LogNotStored(failure, model, change.Name);
            throw new IgptException(IgptErrorCode.StoreUnavailable, $"head '{change.Name}' cannot be stored, so nothing was changed: the cluster's store does not answer. Try again in a moment")
            {
                RetryAfter = StoreRetry,
            };
        }

        _table.Apply(change);
    }

    /// <summary>Brings a replica's heads and these together; both have then what either had.</summary>
    /// <returns>The replica's <see cref="ReplicaStatus.HeadsVersion"/> from here on.</returns>
    internal async Task<string> ExchangeAsync(IReplicaGrain replica)
    {
        HeadStamp[] there = await replica.GetHeadStampsAsync();
        foreach (string name in _table.MissingHere(there))
        {
            // Found after this grain's activation was lost, or with a silo that was away.
            if (await replica.GetHeadAsync(name) is { } change)
            {
                _table.Apply(change);
            }
        }

        // One at a time: a message has a largest size, and a head may be near it.
        foreach (HeadChange change in _table.MissingIn(there))
        {
            await replica.ChangeHeadAsync(change);
        }

        return await replica.CompleteHeadsAsync();
    }

    /// <summary>Checks that there is room for a head.</summary>
    /// <exception cref="IgptException">Unsupported.</exception>
    internal void RequireRoom(HeadSpec head)
    {
        HeadSpec[] others = [.. _table.Heads.Where(put => put.Name != head.Name).Select(put => put.Head!)];
        long weights = others.Sum(other => (long)other.Weight.Length) + head.Weight.Length;
        if (others.Length >= HeadRules.MaxHeads || weights > HeadRules.MaxTotalWeights)
        {
            throw new IgptException(
                IgptErrorCode.Unsupported,
                $"model '{model}' holds at most {HeadRules.MaxHeads:N0} put heads of {HeadRules.MaxTotalWeights:N0} weights in all; with this one {others.Length + 1:N0} and {weights:N0}: delete one first");
        }
    }

    /// <summary>
    /// Above every revision seen, and by the clock: an activation that follows a lost one does not give a revision again that its predecessor
    /// gave to a replica it has not found.
    /// </summary>
    long NextRevision() => Math.Max(_table.Revision + 1, time.GetUtcNow().ToUnixTimeMilliseconds());

    [LoggerMessage(1105, LogLevel.Error, "Head {Head} of model {Model} cannot be stored")]
    partial void LogNotStored(Exception failure, string model, string head);
}
