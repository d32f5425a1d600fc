using Garnet;
using Garnet.server;

namespace IgptCluster.Store;

/// <summary>Garnet, and what is to be known of its append-only file.</summary>
/// <param name="options">How it serves.</param>
internal sealed class StoreServer(GarnetServerOptions options) : GarnetServer(options)
{
    /// <summary>Where the append-only file begins.</summary>
    internal long Begin => storeWrapper.appendOnlyFile.Log.BeginAddress[0];

    /// <summary>What lies before is on the disk, and acknowledged.</summary>
    internal long Committed => storeWrapper.appendOnlyFile.Log.CommittedUntilAddress[0];

    /// <summary>Writes a checkpoint, and removes what it makes needless.</summary>
    /// <returns>Whether it is complete.</returns>
    internal async Task<bool> CheckpointAsync() => await storeWrapper.TakeCheckpointAsync(background: false) == CheckpointStatus.Success;
}
