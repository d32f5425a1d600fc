using IgptCluster.Engine;

namespace IgptCluster.Grains.Replicas;

/// <summary>A replica's engine on its device; disposing it frees the device.</summary>
/// <param name="loop">The engine.</param>
/// <param name="device">The device it owns, <c>cpu</c> or <c>cuda:0</c>.</param>
/// <param name="dtype">The weights' data type.</param>
/// <param name="loaded">Completes when the weights are loaded; faults with the reason if they cannot be.</param>
/// <param name="progress">How much of the weights is there.</param>
/// <param name="disposed">Called once, when the engine has ended and the device is free; null: nobody counts.</param>
public sealed class ReplicaEngine(EngineLoop loop, string device, string dtype, Task<LoadedModel> loaded, LoadProgress progress, Action? disposed = null) : IAsyncDisposable
{
    Action? _disposed = disposed;

    /// <summary>The engine.</summary>
    public EngineLoop Loop { get; } = loop;

    /// <summary>The device it owns, <c>cpu</c> or <c>cuda:0</c>.</summary>
    public string Device { get; } = device;

    /// <summary>The weights' data type.</summary>
    public string DType { get; } = dtype;

    /// <summary>Completes when the weights are loaded; faults with the reason if they cannot be.</summary>
    public Task<LoadedModel> Loaded { get; } = loaded;

    /// <summary>Share of the weights that is there, 0 … 1.</summary>
    public double LoadedShare => Loaded.IsCompletedSuccessfully ? 1 : progress.Share;

    /// <summary>Ends every sequence, frees weights and KV slots. Further calls do nothing.</summary>
    public async ValueTask DisposeAsync()
    {
        await Loop.DisposeAsync();
        Interlocked.Exchange(ref _disposed, null)?.Invoke();
    }
}
