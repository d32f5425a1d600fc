namespace IgptCluster.Store;

/// <summary>How a folder is served.</summary>
/// <param name="Port">Port on loopback beside the folder's socket, 0 takes a free one; null: none.</param>
/// <param name="Memory">Memory for records, MB; the process takes more than that beside it.</param>
/// <param name="MaxDisk">Disk that the folder may take, bytes.</param>
/// <param name="CheckpointInterval">Time between checkpoints.</param>
internal sealed record StoreSettings(int? Port, int Memory, long MaxDisk, TimeSpan CheckpointInterval);
