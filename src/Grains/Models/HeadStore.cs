using IgptCluster.Contracts;
using Orleans.Storage;

namespace IgptCluster.Grains.Models;

/// <summary>Names of a model's heads that are stored, the deleted ones included.</summary>
/// <param name="Names">The names.</param>
[GenerateSerializer, Immutable, Alias("igpt.head-index")]
internal sealed record HeadIndex([property: Id(0)] string[] Names);

/// <summary>
/// A model's put heads in the cluster's storage: one entry for each, for they are large, and one with their names. Without storage nothing is kept: replicas hold them as long as
/// there is one. One grain's turns only.
/// </summary>
/// <param name="storage">The storage; null: none is configured.</param>
/// <param name="model">The model's grain.</param>
internal sealed class HeadStore(IGrainStorage? storage, GrainId model)
{
    const long FirstRevision = 1; // what any replica still has is later

    readonly GrainState<HeadIndex> _index = new(new HeadIndex([]));
    readonly Dictionary<string, GrainState<HeadChange>> _heads = [];

    /// <summary>All that is stored. Of what is damaged it is told that it is: the other heads are as they were.</summary>
    internal async Task<HeadChange[]> ReadAsync()
    {
        if (storage is null)
        {
            return [];
        }

        bool isDamaged = await IsDamagedAsync("heads", _index);
        if (isDamaged || !_index.RecordExists)
        {
            // A provider may have put an empty one there, without names.
            _index.State = new HeadIndex([]);
        }

        GrainState<HeadChange>[] heads = await Task.WhenAll(_index.State!.Names.Select(ReadAsync));
        IEnumerable<HeadChange> known = heads.Where(head => head.RecordExists && head.State is not null).Select(head => head.State!);
        return [.. isDamaged ? known.Append(Damaged("")) : known];
    }

    /// <summary>Stores a change, and forgets those that are not to be kept.</summary>
    /// <param name="change">The change.</param>
    /// <param name="kept">Names of all that are to be kept, without this one's perhaps.</param>
    internal async Task WriteAsync(HeadChange change, IEnumerable<string> kept)
    {
        if (storage is null)
        {
            return;
        }

        if (!_heads.TryGetValue(change.Name, out GrainState<HeadChange>? head))
        {
            _heads[change.Name] = head = new GrainState<HeadChange>();
        }

        head.State = change;
        await storage.WriteStateAsync(NameOf(change.Name), model, head);
        string[] names = [.. kept.Append(change.Name).Where(name => name.Length > 0).Distinct().Order(StringComparer.Ordinal)];
        if (names.AsSpan().SequenceEqual(_index.State!.Names))
        {
            return;
        }

        string[] gone = [.. _index.State.Names.Except(names)];
        _index.State = new HeadIndex(names);
        await storage.WriteStateAsync("heads", model, _index);
        foreach (string name in gone.Where(_heads.ContainsKey))
        {
            await storage.ClearStateAsync(NameOf(name), model, _heads[name]);
            _heads.Remove(name);
        }
    }

    async Task<GrainState<HeadChange>> ReadAsync(string name)
    {
        var head = new GrainState<HeadChange>();
        if (await IsDamagedAsync(NameOf(name), head))
        {
            (head.State, head.RecordExists) = (Damaged(name), true);
        }

        return _heads[name] = head;
    }

    async Task<bool> IsDamagedAsync<T>(string name, GrainState<T> state)
    {
        try
        {
            await storage!.ReadAsync(name, model, state);
            return false;
        }
        catch (IgptException damage) when (damage.Code == IgptErrorCode.DataLoss)
        {
            return true; // the storage has told it
        }
    }

    static HeadChange Damaged(string name) => new(name, FirstRevision, FirstRevision, Head: null, IsDamaged: true);

    static string NameOf(string head) => $"head-{head}";
}
