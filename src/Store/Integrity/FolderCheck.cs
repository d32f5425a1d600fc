namespace IgptCluster.Store.Integrity;

/// <summary>
/// Compares a folder with what was known of it, before Garnet reads it: Garnet itself starts without records when files are missing or changed. Where only the last checkpoint is damaged, the one before takes its
/// place: the append-only file has what was written since.
/// </summary>
/// <param name="folder">The store's folder, which no store serves.</param>
internal sealed class FolderCheck(StoreFolder folder)
{
    const int MostTold = 3;
    const long FirstAddress = 64; // of Garnet's logs

    /// <summary>What was damaged, and made good, in words; null: nothing.</summary>
    internal string? Restored { get; private set; }

    /// <summary>Checks all that must be there.</summary>
    /// <returns>What was acknowledged.</returns>
    /// <exception cref="DamagedStoreException">Something is missing or changed; the message tells what.</exception>
    internal Acknowledged Run()
    {
        Acknowledged? acknowledged = Acknowledged.Read(folder.Acknowledged);
        if (acknowledged?.Version is null && !File.Exists(folder.Manifest))
        {
            return acknowledged ?? Acknowledged.Nothing;
        }

        if (acknowledged is null)
        {
            throw new DamagedStoreException($"{Path.GetFileName(folder.Acknowledged)} is missing");
        }

        LogCommit? commit = LogCommit.Newest(folder);
        string[] log = [.. OfTheLog(acknowledged, commit)];
        string[] checkpoint = [.. OfTheCheckpoint(acknowledged, commit)];
        if (log.Length > 0 || (checkpoint.Length > 0 && commit is null))
        {
            throw new DamagedStoreException(InWords([.. log, .. checkpoint]));
        }

        if (checkpoint.Length > 0)
        {
            KeptCheckpoint before = KeptCheckpoint.All(folder).FirstOrDefault(kept => kept.IsWhole(folder, commit!.Value.Begin)) ?? throw new DamagedStoreException(InWords(checkpoint));
            acknowledged = before.Restore(folder, acknowledged, out string aside);
            Restored = $"{InWords(checkpoint)}; the checkpoint before and the append-only file have all records, so nothing is lost; the damaged checkpoint was set aside in {aside}";
        }

        return acknowledged with { Until = Math.Max(acknowledged.Until, commit?.Until ?? 0) };
    }

    IEnumerable<string> OfTheLog(Acknowledged acknowledged, LogCommit? last)
    {
        if (last is not { } commit)
        {
            return acknowledged.Log.Length > 0 ? [$"{Path.GetRelativePath(folder.Root, folder.Commits)} has no file of commits that can be read"] : [];
        }

        // What was acknowledged in the last second has no checksums yet, but its length is known.
        string? end = StoreFolder.AppendOnly.Lacks(folder.Root, Math.Max(commit.Begin, acknowledged.Until), Math.Max(commit.Until, LogLength.Read(folder)));
        return Problems(acknowledged.Log.Select(log => (log, StoreFolder.AppendOnly.BeginIn(log, commit.Begin) ?? 0))).Concat(end is null ? [] : [end]).Distinct();
    }

    IEnumerable<string> OfTheCheckpoint(Acknowledged acknowledged, LogCommit? commit)
    {
        string name = Path.GetFileName(folder.Manifest);
        CheckpointManifest? manifest;
        try
        {
            manifest = SealedFile.Read<CheckpointManifest>(folder.Manifest);
        }
        catch (DamagedStoreException damage)
        {
            return [damage.Message];
        }

        if (manifest is null)
        {
            return [$"{name} is missing"];
        }

        if (manifest.Version < acknowledged.Version)
        {
            return [$"{name} is older than the data: it is checkpoint {manifest.Version}'s, and there was one of {acknowledged.Version}"];
        }

        // One newer than the manifest was completed just before the store was killed: what only the one before needed may be gone.
        CheckpointInfo? newest = CheckpointInfo.Newest(folder);
        bool isNewer = newest is not null && newest.Version > manifest.Version;
        IEnumerable<(Extent Extent, long Begin)> needed = [
            .. isNewer ? [] : manifest.Files.Select(file => (file, 0L)),
            .. manifest.Logs.Select(log => (log, isNewer ? StoreFolder.Records.BeginIn(log, newest!.LogBegin) ?? StoreFolder.Objects.BeginIn(log, newest.ObjectsBegin) ?? 0 : 0)),
        ];
        string? gap = commit?.Begin > (newest?.AppendOnlyBegin ?? FirstAddress)
            ? $"{Path.GetRelativePath(folder.Root, folder.Checkpoints)} has no checkpoint of what was written before byte {commit.Value.Begin} of the append-only file, which begins there"
            : null;
        return Problems(needed).Concat(gap is null ? [] : [gap]);
    }

    string[] Problems(IEnumerable<(Extent Extent, long Begin)> needed) => [.. needed.AsParallel().AsOrdered().Select(one => one.Extent.Check(folder.Root, one.Begin)).OfType<string>()];

    static string InWords(string[] problems) => string.Join("; ", problems.Take(MostTold)) + (problems.Length > MostTold ? $"; and {problems.Length - MostTold} more such files" : "");
}
