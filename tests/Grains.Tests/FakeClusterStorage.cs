using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Orleans.Storage;

namespace IgptCluster.Grains.Tests;

/// <summary>Storage of plans and heads that all silos of a test share and that outlives them.</summary>
internal sealed class FakeClusterStorage : IGrainStorage
{
    readonly ConcurrentDictionary<(GrainId, string), object> _states = new();

    /// <summary>Runs before each write, to make it fail.</summary>
    public Action BeforeWrite { get; set; } = () => { };

    public Task ReadStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        if (_states.TryGetValue((grainId, stateName), out object? stored))
        {
            (grainState.State, grainState.RecordExists) = ((T)stored, true);
        }
        else
        {
            // As Orleans' Redis provider does.
            grainState.State = (T)RuntimeHelpers.GetUninitializedObject(typeof(T));
        }

        return Task.CompletedTask;
    }

    public Task WriteStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        BeforeWrite();
        _states[(grainId, stateName)] = grainState.State!;
        grainState.RecordExists = true;
        return Task.CompletedTask;
    }

    public Task ClearStateAsync<T>(string stateName, GrainId grainId, IGrainState<T> grainState)
    {
        _states.TryRemove((grainId, stateName), out _);
        grainState.RecordExists = false;
        return Task.CompletedTask;
    }
}
