using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;
using Orleans.Storage;

namespace IgptCluster.Grains.Tests;

/// <summary>Storage that all silos of a test share and that outlives them. Checks that nobody overwrites what he has not read.</summary>
internal sealed class FakeSessionStorage : IGrainStorage, IStoredSessions
{
    readonly ConcurrentDictionary<GrainId, (SessionRecord Record, int Version)> _records = new();

    int _reads;

    /// <summary>Runs before each write, to hold it or to make it fail.</summary>
    public Func<SessionRecord, Task> BeforeWrite { get; set; } = _ => Task.CompletedTask;

    /// <summary>Runs after each write, to make what was stored look as if it had failed.</summary>
    public Action AfterWrite { get; set; } = () => { };

    /// <summary>How often a session was looked for: once for each activation.</summary>
    public int Reads => Volatile.Read(ref _reads);

    /// <summary>Number of sessions stored.</summary>
    public int Count => _records.Count;

    /// <summary>The only session's record.</summary>
    public SessionRecord Single => _records.Values.Single().Record;

    /// <summary>Stores a session that some silo has left behind.</summary>
    public void Put(GrainId id, SessionRecord record) => _records[id] = (record, 1);

    public async IAsyncEnumerable<SessionId> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.CompletedTask;
        foreach (GrainId id in _records.Keys)
        {
            yield return new SessionId(id.Key.ToString()!);
        }
    }

    /// <summary>Writes every record again, as another activation would.</summary>
    public void Touch()
    {
        foreach (GrainId id in _records.Keys)
        {
            _records.AddOrUpdate(id, _ => throw new InvalidOperationException("gone"), (_, stored) => (stored.Record with { Writer = Guid.NewGuid() }, stored.Version + 1));
        }
    }

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        Interlocked.Increment(ref _reads);
        if (_records.TryGetValue(grainId, out (SessionRecord Record, int Version) stored))
        {
            (grainState.State, grainState.ETag, grainState.RecordExists) = ((T)(object)stored.Record, $"{stored.Version}", true);
        }

        return Task.CompletedTask;
    }

    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var record = (SessionRecord)(object)grainState.State!;
        await BeforeWrite(record);
        int known = grainState.RecordExists ? int.Parse(grainState.ETag!, System.Globalization.CultureInfo.InvariantCulture) : 0;
        bool isCurrent = known == 0
            ? _records.TryAdd(grainId, (record, 1))
            : _records.TryGetValue(grainId, out (SessionRecord Record, int Version) stored) && stored.Version == known && _records.TryUpdate(grainId, (record, known + 1), stored);
        if (!isCurrent)
        {
            throw new InconsistentStateException("another has written");
        }

        AfterWrite();
        (grainState.ETag, grainState.RecordExists) = ($"{known + 1}", true);
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        _records.TryRemove(grainId, out _);
        grainState.RecordExists = false;
        return Task.CompletedTask;
    }
}
