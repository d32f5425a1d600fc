using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;
using Orleans.Storage;

namespace IgptCluster.Grains.Sessions.Storage;

/// <summary>
/// One session's place in the cluster's storage. Without storage nothing is kept, and all writes succeed at once: the session lives as long as its activation.
/// One grain's turns only, one write at a time.
/// </summary>
/// <param name="storage">The storage; null: none is configured.</param>
/// <param name="session">The session's grain.</param>
internal sealed class SessionStore(IGrainStorage? storage, GrainId session)
{
    /// <summary>Name of the storage provider.</summary>
    internal const string Name = "sessions";

    const string StateName = "session";

    readonly GrainState<SessionRecord> _state = new(new SessionRecord());
    readonly Guid _writer = Guid.NewGuid();
    bool _isUncertain; // whether a write failed that may have been carried out all the same

    /// <summary>Whether what is written outlives the process.</summary>
    internal bool IsDurable => storage is not null;

    /// <summary>Whether something is stored, as far as is known.</summary>
    internal bool IsStored => _state.RecordExists;

    /// <summary>What is stored; without a spec if nothing is.</summary>
    /// <exception cref="IgptException">StoreUnavailable.</exception>
    internal async Task<SessionRecord> ReadAsync()
    {
        await (storage?.ReadAsync(StateName, session, _state) ?? Task.CompletedTask);
        return _state is { RecordExists: true, State: { } stored } ? stored : new SessionRecord();
    }

    /// <summary>Stores a record.</summary>
    /// <param name="record">The whole of it.</param>
    /// <exception cref="InconsistentStateException">Another activation has written meanwhile: it owns the session.</exception>
    internal async Task WriteAsync(SessionRecord record)
    {
        if (storage is null)
        {
            return;
        }

        _state.State = record with { Writer = _writer };
        try
        {
            _isUncertain = true;
            await storage.WriteStateAsync(StateName, session, _state);
        }
        catch (InconsistentStateException) when (_state.RecordExists)
        {
            // A write that failed because it took too long may have been carried out all the same: what is there is then this activation's own.
            var found = new GrainState<SessionRecord>(new SessionRecord());
            await storage.ReadAsync(StateName, session, found);
            if (found.State?.Writer != _writer)
            {
                throw;
            }

            _state.ETag = found.ETag;
            await storage.WriteStateAsync(StateName, session, _state);
        }

        _isUncertain = false;
    }

    /// <summary>Removes what is stored, and what this activation may have stored without knowing.</summary>
    /// <exception cref="IgptException">StoreUnavailable.</exception>
    internal async Task ClearAsync()
    {
        if (storage is null)
        {
            return;
        }

        if (_isUncertain)
        {
            var found = new GrainState<SessionRecord>(new SessionRecord());
            await storage.ReadAsync(StateName, session, found);
            (_state.ETag, _state.RecordExists) = (found.ETag, found.RecordExists && found.State?.Writer == _writer);
            _isUncertain = false;
        }

        if (_state.RecordExists)
        {
            await storage.ClearStateAsync(StateName, session, _state);
        }
    }
}
