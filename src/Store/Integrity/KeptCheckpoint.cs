using System.Globalization;

namespace IgptCluster.Store.Integrity;

/// <summary>
/// The checkpoint before the last one, which Garnet removes with what the append-only file had since: hard links to both, in a folder of their own. With what the append-only file has now they make up all
/// records, so a last checkpoint that is damaged costs nothing.
/// </summary>
internal sealed class KeptCheckpoint
{
    readonly string _path;
    readonly Content _content;

    KeptCheckpoint(string path, Content content) => (_path, _content) = (path, content);

    static string ManifestIn(string path) => Path.Combine(path, "manifest");

    /// <summary>Keeps the last checkpoint, before another is taken.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="last">The last checkpoint's manifest.</param>
    /// <param name="begin">Where the append-only file begins.</param>
    /// <param name="until">Up to here it is committed.</param>
    /// <exception cref="IOException">The links, or their manifest, cannot be written.</exception>
    internal static KeptCheckpoint Make(StoreFolder folder, CheckpointManifest last, long begin, long until)
    {
        string path = Path.Combine(folder.Kept, last.Version.ToString(CultureInfo.InvariantCulture));
        Remove(path);
        foreach (string file in last.Files.Select(extent => extent.File))
        {
            HardLink.Make(Path.Combine(folder.Root, file), Path.Combine(path, file));
        }

        var kept = new KeptCheckpoint(path, new Content(last, begin, Acknowledged.Read(folder.Acknowledged)?.Log ?? []));
        kept.LinkLog(folder);
        kept = kept.Seal(until);
        kept.LinkLog(folder); // it has grown meanwhile
        return kept;
    }

    /// <summary>Those of a folder that can be read, the newest first.</summary>
    /// <param name="folder">The store's folder.</param>
    internal static IEnumerable<KeptCheckpoint> All(StoreFolder folder)
    {
        foreach (string path in Paths(folder))
        {
            Content? content = null;
            try
            {
                content = SealedFile.Read<Content>(ManifestIn(path));
            }
            catch (DamagedStoreException)
            {
                // It is of no use, and the next checkpoint removes it.
            }

            if (content is not null)
            {
                yield return new KeptCheckpoint(path, content);
            }
        }
    }

    /// <summary>Removes all of a folder's.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <returns>Whether there was one.</returns>
    internal static bool RemoveAll(StoreFolder folder)
    {
        string[] all = [.. Paths(folder)];
        Array.ForEach(all, Remove);
        return all.Length > 0;
    }

    /// <summary>Makes this one the only one: the checkpoint after it is complete.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="until">The checkpoint after it has what was written before.</param>
    /// <exception cref="IOException">The append-only file grew faster than it could be kept.</exception>
    internal void Complete(StoreFolder folder, long until)
    {
        Seal(until);
        foreach (string other in Paths(folder).Where(path => path != _path))
        {
            Remove(other);
        }
    }

    /// <summary>Whether all records can be had from it and the append-only file.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="begin">Where the append-only file begins, which is whole from there on.</param>
    internal bool IsWhole(StoreFolder folder, long begin) =>
        begin >= _content.Begin
        && StoreFolder.AppendOnly.Lacks(_path, _content.Begin, begin) is null
        && _content.Checkpoint.Files.Concat(_content.Log).AsParallel().All(extent => extent.Check(_path) is null)
        && _content.Checkpoint.Logs.AsParallel().All(extent => extent.Check(folder.Root) is null);

    /// <summary>
    /// Puts it in the place of the last checkpoint. A process that is killed meanwhile leaves a folder whose last checkpoint is not whole, and the next one begins anew.
    /// </summary>
    /// <param name="folder">The store's folder, which no store serves.</param>
    /// <param name="acknowledged">What was acknowledged.</param>
    /// <param name="aside">Where the files of the last checkpoint are now.</param>
    /// <returns>What is acknowledged of what is there now.</returns>
    internal Acknowledged Restore(StoreFolder folder, Acknowledged acknowledged, out string aside)
    {
        aside = folder.MakeAside();
        if (Path.GetDirectoryName(folder.Checkpoints) is { } checkpoints && Directory.Exists(checkpoints))
        {
            Directory.Move(checkpoints, Path.Combine(aside, Path.GetFileName(checkpoints)));
        }

        if (File.Exists(folder.Manifest))
        {
            File.Move(folder.Manifest, Path.Combine(aside, Path.GetFileName(folder.Manifest)));
        }

        string[] log = [.. StoreFolder.AppendOnly.FilesFrom(_path, _content.Begin).Where(file => !File.Exists(Path.Combine(folder.Root, file)))];
        foreach (string file in _content.Checkpoint.Files.Select(extent => extent.File).Concat(log))
        {
            HardLink.Make(Path.Combine(_path, file), Path.Combine(folder.Root, file));
        }

        LogCommit.MoveBegin(folder, _content.Begin);
        Acknowledged now = acknowledged with
        {
            Version = _content.Checkpoint.Version,
            Log = [.. StoreFolder.AppendOnly.Measure(folder.Root, _content.Begin, acknowledged.Until, null)],
        };
        SealedFile.Write(folder.Acknowledged, now);
        SealedFile.Write(folder.Manifest, _content.Checkpoint);
        return now;
    }

    void LinkLog(StoreFolder folder)
    {
        foreach (string file in StoreFolder.AppendOnly.FilesFrom(folder.Root, _content.Begin).Where(file => !File.Exists(Path.Combine(_path, file))))
        {
            HardLink.Make(Path.Combine(folder.Root, file), Path.Combine(_path, file));
        }
    }

    KeptCheckpoint Seal(long until)
    {
        Content content = _content with { Log = [.. StoreFolder.AppendOnly.Measure(_path, _content.Begin, until, _content.Log.ToDictionary(extent => extent.File))] };
        SealedFile.Write(ManifestIn(_path), content);
        return new KeptCheckpoint(_path, content);
    }

    static IEnumerable<string> Paths(StoreFolder folder) =>
        Directory.GetDirectories(folder.Kept).OrderByDescending(path => long.TryParse(Path.GetFileName(path), NumberStyles.None, CultureInfo.InvariantCulture, out long version) ? version : -1);

    static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
    }

    /// <summary>What its manifest says.</summary>
    /// <param name="Checkpoint">The checkpoint's own manifest.</param>
    /// <param name="Begin">Where the append-only file began.</param>
    /// <param name="Log">The append-only file from there on.</param>
    sealed record Content(CheckpointManifest Checkpoint, long Begin, Extent[] Log);
}
