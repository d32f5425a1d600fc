using System.Globalization;
using IgptCluster.Store.Integrity;

namespace IgptCluster.Store;

/// <summary>
/// Takes checkpoints while something is written, and writes its manifest: what is served can then be told from what was lost. The one before is kept (<see cref="KeptCheckpoint"/>) where there is room.
/// </summary>
/// <param name="folder">The store's folder.</param>
/// <param name="server">Its server.</param>
/// <param name="settings">How the folder is served.</param>
internal sealed class Checkpoints(StoreFolder folder, StoreServer server, StoreSettings settings)
{
    const long MinLog = 1 << 20; // bytes of the append-only file: what test writes alone take is read again at once

    const long MaxLog = 256 << 20; // sooner then: a start reads it all, and it counts as disk
    const int LooksBetween = 30; // between two checkpoints

    readonly RewriteNote _note = SealedFile.Read<RewriteNote>(folder.Note) ?? new RewriteNote(0, 0);

    string? _toldWhyNot; // the last checkpoint was not kept

    /// <summary>The manifest of the last checkpoint.</summary>
    internal CheckpointManifest Manifest { get; private set; } = CheckpointManifest.Empty;

    /// <summary>Makes sure that there is a manifest: folders of earlier versions have none, and a store that was killed may have one checkpoint more.</summary>
    internal void Begin()
    {
        CheckpointManifest? stored = SealedFile.Read<CheckpointManifest>(folder.Manifest);
        Manifest = stored ?? CheckpointManifest.Empty;
        CheckpointInfo? newest = CheckpointInfo.Newest(folder);
        if (newest?.Version > Manifest.Version)
        {
            Keep(CheckpointManifest.Measure(folder, newest, Manifest));
        }
        else if (stored is null)
        {
            Keep(Manifest);
        }
    }

    /// <summary>Takes checkpoints until it is told to stop. One that fails is told and tried again: until then the append-only file has all.</summary>
    /// <param name="cancellationToken">Stops.</param>
    /// <returns>Whether the process is to start again, to write its records anew.</returns>
    internal async Task<bool> RunAsync(CancellationToken cancellationToken)
    {
        using var tick = new PeriodicTimer(settings.CheckpointInterval / LooksBetween);
        try
        {
            for (int looks = 1; await tick.WaitForNextTickAsync(cancellationToken); looks++)
            {
                // Where room is low what is needless goes sooner.
                var room = Room.Of(folder, settings.MaxDisk);
                if (room.IsTight && KeptCheckpoint.RemoveAll(folder))
                {
                    await Console.Error.WriteLineAsync("igpt-store: room is low, so the checkpoint before the last one is not kept: if a file of the last one is damaged, a copy of the folder is needed");
                }

                long log = server.Committed - server.Begin;
                if (log >= MaxLog || (log >= MinLog && (looks >= LooksBetween || (room.IsLow && looks >= LooksBetween / 6))))
                {
                    await TakeAsync();
                    looks = 0;
                }
                else if (room.IsLow && looks % (LooksBetween / 6) == 0 && _note.IsWorthIt(room, await CountAsync(cancellationToken)) && new DriveInfo(folder.Root).AvailableFreeSpace > room.Used)
                {
                    await File.WriteAllTextAsync(folder.Wanted, "", cancellationToken);
                    return true;
                }
            }
        }
        catch (OperationCanceledException)
        {
            // It stops.
        }

        return false;
    }

    async Task<long> CountAsync(CancellationToken cancellationToken)
    {
        using StoreConnection store = await StoreConnection.OpenAsync(folder, cancellationToken);
        return long.Parse((await store.AskAsync(cancellationToken, "DBSIZE"))!, CultureInfo.InvariantCulture);
    }

    async Task TakeAsync()
    {
        try
        {
            KeptCheckpoint? before = await TryKeepAsync();
            if (await server.CheckpointAsync() && CheckpointInfo.Newest(folder) is { } newest && newest.Version > Manifest.Version)
            {
                Keep(CheckpointManifest.Measure(folder, newest, Manifest));
                await CompleteAsync(before, newest.AppendOnlyBegin);
                return;
            }

            await Console.Error.WriteLineAsync("igpt-store: a checkpoint could not be written; the append-only file is kept, and another is tried later");
        }
        catch (IOException failure)
        {
            await Console.Error.WriteLineAsync($"igpt-store: a checkpoint could not be completed, and another is tried later: {failure.Message}");
        }
    }

    /// <summary>Keeps the one before alone; none, where there is no room for it or the append-only file grew faster than it could be kept: of an older one that file has not all any more.</summary>
    async Task CompleteAsync(KeptCheckpoint? before, long until)
    {
        try
        {
            before?.Complete(folder, until);
        }
        catch (IOException failure)
        {
            before = null;
            await Console.Error.WriteLineAsync($"igpt-store: the checkpoint before the last one is not kept this time: {failure.Message}");
        }

        if (before is null)
        {
            KeptCheckpoint.RemoveAll(folder);
        }
    }

    async Task<KeptCheckpoint?> TryKeepAsync()
    {
        try
        {
            return Room.Of(folder, settings.MaxDisk).IsTight ? null : KeptCheckpoint.Make(folder, Manifest, server.Begin, server.Committed);
        }
        catch (Exception failure) when (failure is IOException or DamagedStoreException)
        {
            if (failure.Message != _toldWhyNot)
            {
                await Console.Error.WriteLineAsync($"igpt-store: the last checkpoint is not kept beside the next: {failure.Message}");
                _toldWhyNot = failure.Message;
            }

            return null;
        }
    }

    void Keep(CheckpointManifest manifest)
    {
        SealedFile.Write(folder.Manifest, manifest);
        Manifest = manifest;
    }
}
