namespace IgptCluster.Store.Integrity;

/// <summary>
/// What a checkpoint needs of the folder and what does not change any more, with checksums. Written when the checkpoint is complete, and when a folder is used for the first time.
/// </summary>
/// <param name="Version">The checkpoint's; 0: there is none yet.</param>
/// <param name="Files">The checkpoint's own files.</param>
/// <param name="Logs">Of the logs of records and large values, what the checkpoint needs.</param>
internal sealed record CheckpointManifest(long Version, Extent[] Files, Extent[] Logs)
{
    /// <summary>A folder's, before its first checkpoint.</summary>
    internal static CheckpointManifest Empty { get; } = new(0, [], []);

    /// <summary>Sums a checkpoint up.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="checkpoint">The checkpoint, which is complete.</param>
    /// <param name="before">The manifest of the checkpoint before: what it has is not read again.</param>
    /// <exception cref="IOException">A file is missing, too short, or cannot be read.</exception>
    internal static CheckpointManifest Measure(StoreFolder folder, CheckpointInfo checkpoint, CheckpointManifest before)
    {
        var known = before.Logs.ToDictionary(extent => extent.File);
        string[] files = [.. new[] { Path.Combine(folder.Checkpoints, $"{checkpoint.Token}"), CheckpointIndex.Needed(folder, checkpoint) }.OfType<string>().SelectMany(path => Directory.GetFiles(path, "*", SearchOption.AllDirectories))];
        return new CheckpointManifest(
            checkpoint.Version,
            [.. files.Select(file => Extent.Measure(folder.Root, Path.GetRelativePath(folder.Root, file), 0, new FileInfo(file).Length))],
            [.. StoreFolder.Records.Measure(folder.Root, checkpoint.LogBegin, checkpoint.LogUntil, known), .. StoreFolder.Objects.Measure(folder.Root, checkpoint.ObjectsBegin, checkpoint.ObjectsUntil, known)]);
    }
}
