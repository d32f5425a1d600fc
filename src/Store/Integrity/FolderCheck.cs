using System.Collections.Concurrent;

namespace IgptCluster.Store.Integrity;

/// <summary>
/// Compares a folder with what was known of it, before Garnet reads it: Garnet itself starts without records when files are missing or changed.
/// </summary>
/// <param name="folder">The store's folder, which no store serves.</param>
internal sealed class FolderCheck(StoreFolder folder)
{
    const int MostTold = 3;
    const long FirstAddress = 64; // of Garnet's logs

    readonly ConcurrentQueue<string> _problems = new();

    /// <summary>Checks all that must be there.</summary>
    /// <returns>What was acknowledged.</returns>
    /// <exception cref="DamagedStoreException">Something is missing or changed; the message tells what.</exception>
    internal Acknowledged Run()
    {
        Acknowledged? acknowledged = Acknowledged.Read(folder.Acknowledged);
        var manifest = SealedFile.Read<CheckpointManifest>(folder.Manifest);
        if (manifest is null)
        {
            return acknowledged?.Version is null ? acknowledged ?? Acknowledged.Nothing : throw new DamagedStoreException($"{Path.GetFileName(folder.Manifest)} is missing");
        }

        if (acknowledged is null)
        {
            throw new DamagedStoreException($"{Path.GetFileName(folder.Acknowledged)} is missing");
        }

        if (manifest.Version < acknowledged.Version)
        {
            throw new DamagedStoreException($"{Path.GetFileName(folder.Manifest)} is older than the data: it is checkpoint {manifest.Version}'s, and there was one of {acknowledged.Version}");
        }

        Compare(manifest, acknowledged);
        return _problems.IsEmpty
            ? acknowledged
            : throw new DamagedStoreException(string.Join("; ", _problems.Take(MostTold)) + (_problems.Count > MostTold ? $"; and {_problems.Count - MostTold} more such files" : ""));
    }

    void Compare(CheckpointManifest manifest, Acknowledged acknowledged)
    {
        // One newer than the manifest was completed just before the store was killed: what only the one before needed may be gone.
        CheckpointInfo? newest = CheckpointInfo.Newest(folder);
        bool isNewer = newest is not null && newest.Version > manifest.Version;
        var needed = new List<(Extent Extent, long Begin)>();
        needed.AddRange(isNewer ? [] : manifest.Files.Select(file => (file, 0L)));
        needed.AddRange(manifest.Logs.Select(log => (log, isNewer ? StoreFolder.Records.BeginIn(log, newest!.LogBegin) ?? StoreFolder.Objects.BeginIn(log, newest.ObjectsBegin) ?? 0 : 0)));
        if (LogCommit.BeginOf(folder) is { } begin)
        {
            long covered = newest?.AppendOnlyBegin ?? FirstAddress;
            if (begin > covered)
            {
                _problems.Enqueue($"{Path.GetRelativePath(folder.Root, folder.Checkpoints)} has no checkpoint of what was written before byte {begin} of the append-only file, which begins there");
            }

            needed.AddRange(acknowledged.Log.Select(log => (log, StoreFolder.AppendOnly.BeginIn(log, begin) ?? 0)));
        }
        else if (acknowledged.Log.Length > 0)
        {
            _problems.Enqueue($"{Path.GetRelativePath(folder.Root, folder.Commits)} has no file of commits that can be read");
        }

        Parallel.ForEach(needed, one =>
        {
            if (one.Extent.Check(folder.Root, one.Begin) is { } problem)
            {
                _problems.Enqueue(problem);
            }
        });
    }
}
