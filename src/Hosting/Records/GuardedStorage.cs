using IgptCluster.Contracts;
using Microsoft.Extensions.Logging;
using Orleans.Storage;

namespace IgptCluster.Hosting.Records;

/// <summary>
/// A grain storage whose records carry checksums, and that says in the cluster's own words what is wrong with a record or with the store's room. A damaged record is never taken for an empty one;
/// a copy of it is set aside in the store, so that its owner may write another. Any thread.
/// </summary>
/// <param name="inner">The store's; keeps <see cref="StoredRecord"/>s.</param>
/// <param name="serializer">Makes the records.</param>
/// <param name="room">The store's room.</param>
/// <param name="nameOf">The name of a state's entry in the store.</param>
/// <param name="logger">Log.</param>
internal sealed partial class GuardedStorage(IGrainStorage inner, IGrainStorageSerializer serializer, StoreRoom room, Func<string, GrainId, string> nameOf, ILogger<GuardedStorage> logger) : IGrainStorage
{
    /// <summary>Begins the state names of records that are set aside.</summary>
    internal const string Damaged = "damaged:";

    const string OutOfMemory = "OOM command not allowed"; // Redis, with maxmemory and noeviction

    /// <inheritdoc/>
    public async Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var stored = new GrainState<StoredRecord>();
        await inner.ReadStateAsync(stateName, grainId, stored);
        (grainState.ETag, grainState.RecordExists) = (stored.ETag, stored.RecordExists);
        if (!stored.RecordExists)
        {
            return;
        }

        try
        {
            grainState.State = Read<T>(RecordSeal.Open(stored.State!.Bytes));
        }
        catch (DamagedRecordException damage)
        {
            string name = nameOf(stateName, grainId);
            LogDamaged(name, damage.Message);
            await SetAsideAsync(Damaged + stateName, grainId, stored.State!);
            throw new IgptException(IgptErrorCode.DataLoss, $"what is stored of '{grainId.Key}' is damaged: entry {name} of the store, {damage.Message}. A copy is set aside; restore the store from a copy, or do without it");
        }
    }

    /// <inheritdoc/>
    public async Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        await room.RequireAsync(isNew: !grainState.RecordExists);
        var stored = new GrainState<StoredRecord>(new StoredRecord(RecordSeal.Seal(serializer.Serialize(grainState.State).ToMemory().Span)), grainState.ETag) { RecordExists = grainState.RecordExists };
        try
        {
            await inner.WriteStateAsync(stateName, grainId, stored);
        }
        catch (Exception failure) when (failure.Message.Contains(OutOfMemory, StringComparison.Ordinal))
        {
            throw StoreRoom.Full("it has reached its maxmemory: delete sessions or heads, or raise it");
        }

        (grainState.ETag, grainState.RecordExists) = (stored.ETag, stored.RecordExists);
    }

    /// <inheritdoc/>
    public async Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        var stored = new GrainState<StoredRecord> { ETag = grainState.ETag, RecordExists = grainState.RecordExists };
        await inner.ClearStateAsync(stateName, grainId, stored);
        (grainState.ETag, grainState.RecordExists) = (stored.ETag, stored.RecordExists);
    }

    async Task SetAsideAsync(string stateName, GrainId grainId, StoredRecord record)
    {
        try
        {
            await inner.WriteStateAsync(stateName, grainId, new GrainState<StoredRecord>(record));
        }
        catch (InconsistentStateException)
        {
            // It is there.
        }
    }

    // A record whose mark was hit looks like one of a version before.
    T Read<T>(ReadOnlyMemory<byte> record)
    {
        try
        {
            return serializer.Deserialize<T>(new BinaryData(record)) ?? throw new FormatException("it is empty");
        }
        catch (Exception failure)
        {
            throw new DamagedRecordException($"it cannot be read ({record.Length} bytes): {failure.Message}");
        }
    }

    [LoggerMessage(4111, LogLevel.Error, "Entry {Name} of the store is damaged, and a copy of it is set aside: {Damage}")]
    partial void LogDamaged(string name, string damage);
}
