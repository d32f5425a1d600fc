using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using IgptCluster.Store.Integrity;

namespace IgptCluster.Store;

/// <summary>Serves one folder until it is told to stop.</summary>
internal static partial class StoreProgram
{
    const int Failed = 1;
    const int FolderTaken = 3;
    const int Damaged = 4; // EmbeddedStore does not start it again
    const int WriteFailed = 5;
    const int Rewrites = 6;
    const int NoSpace = 28; // errno
    const long MinFree = 1 << 20; // a start writes: without room its first write would never be answered, whatever room there is later

    /// <summary>Serves a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="settings">How.</param>
    /// <param name="acceptsLoss">Sets data that is there aside and starts empty.</param>
    /// <param name="cancellationToken">Stops in order: what was written is on the disk.</param>
    /// <returns>The process's exit code.</returns>
    internal static async Task<int> RunAsync(string path, StoreSettings settings, bool acceptsLoss, CancellationToken cancellationToken)
    {
        try
        {
            using StoreFolder? folder = StoreFolder.TryOpen(path);
            if (folder is null)
            {
                return await FailAsync(FolderTaken, $"another store serves {path}: stop it first, or name another folder");
            }

            new Rewrite(folder, settings).Finish();
            if (acceptsLoss && folder.SetAside() is { } aside)
            {
                Console.WriteLine($"The data of {path} was set aside in {aside}; nothing was deleted");
            }

            return await ServeAsync(folder, path, settings with { Port = settings.Port is 0 ? FreePort() : settings.Port }, cancellationToken);
        }
        catch (DamagedStoreException failure)
        {
            return await FailAsync(
                Damaged, $"the data in {path} is damaged, so the store does not start: {OneLine(failure.Message)}. Restore a copy of the folder, or run igpt-store --folder {path} --accept-loss, which sets the data aside and starts empty");
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or SocketException)
        {
            return await FailAsync(Failed, $"{path} cannot be served: {OneLine(failure.Message)}");
        }
    }

    static async Task<int> ServeAsync(StoreFolder folder, string path, StoreSettings settings, CancellationToken cancellationToken)
    {
        RequireFree(folder);
        await using var starting = new Heartbeat(folder.Starting);
        var check = new FolderCheck(folder);
        Acknowledged acknowledged = check.Run();
        if (check.Restored is { } restored)
        {
            await Console.Error.WriteLineAsync($"igpt-store: the last checkpoint in {path} was damaged: {restored}");
        }

        acknowledged = await RewriteAsync(folder, settings, acknowledged);
        folder.ClearSocket();
        using var memory = new MemoryWatch(settings.Memory);
        using StoreServer server = Start(folder, settings, acknowledged);
        var checkpoints = new Checkpoints(folder, server, settings);
        var writes = new TestWrites(folder, server, checkpoints, settings, acknowledged);
        try
        {
            checkpoints.Begin();
            await writes.BeginAsync(cancellationToken);
            folder.Announce(settings.Port);
            await starting.DisposeAsync();
            Console.WriteLine($"Ready: store on {(settings.Port is null ? folder.Socket : $"127.0.0.1:{settings.Port}")}, folder {path}");
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            Task<bool> taking = checkpoints.RunAsync(ending.Token);
            Task writing = writes.RunAsync(ending.Token);
            Task first = await Task.WhenAny(taking, writing);
            await (first.IsFaulted ? first : Task.CompletedTask); // the others may wait for the disk for ever
            if (taking.IsCompletedSuccessfully && await taking)
            {
                Environment.Exit(await FailAsync(Rewrites, $"much of {path} is of records that were overwritten or deleted, so the store ends and must be started again: it writes the others anew then"));
            }

            await ending.CancelAsync();
            await Task.WhenAll(taking, writing);
            return 0;
        }
        catch (IOException failure)
        {
            // At once: Garnet's own end waits for writes that never come.
            Environment.Exit(await FailAsync(WriteFailed, $"{path} cannot be written, so the store ends and must be started again: {OneLine(failure.Message)}. Is there room on the disk?"));
            return WriteFailed;
        }
    }

    static void RequireFree(StoreFolder folder)
    {
        long free = new DriveInfo(folder.Root).AvailableFreeSpace;
        if (free < MinFree)
        {
            throw new IOException($"its disk has {free >> 10} kB free, and a start needs {MinFree >> 10} kB: make room");
        }
    }

    static async Task<Acknowledged> RewriteAsync(StoreFolder folder, StoreSettings settings, Acknowledged last)
    {
        CheckpointIndex.RemoveOthers(folder);
        var rewrite = new Rewrite(folder, settings);
        try
        {
            return await rewrite.RunAsync(last);
        }
        catch (Exception failure)
        {
            // Of whatever kind: the old data is whole, and is served.
            rewrite.Finish();
            SealedFile.Write(folder.Note, new RewriteNote(Room.Of(folder, settings.MaxDisk).Used, 0)); // not again at once
            await Console.Error.WriteLineAsync($"igpt-store: the records of {folder.Root} could not be written anew, and are served as they are: {OneLine(failure.Message)}");
            return last;
        }
    }

    static StoreServer Start(StoreFolder folder, StoreSettings settings, Acknowledged acknowledged)
    {
        try
        {
            var server = new StoreServer(GarnetSettings.For(folder, settings.Port, settings.Memory));
            server.Start();
            return server;
        }
        catch (Exception failure) when (failure is not (SocketException or UnauthorizedAccessException or IOException { HResult: NoSpace }))
        {
            // A full disk damages nothing. Recovery throws what its parts do: of Garnet, of the runtime, of the file system.
            // What has checksums has just been compared with them.
            string where = acknowledged.Log is [.., var last] ? $"{last.File} is not what was written, somewhere from byte {last.Until} on" : $"{Path.GetRelativePath(folder.Root, folder.Data)} is not what was written";
            throw new DamagedStoreException($"{where}: a record cannot be read back ({OneLine(failure.Message)})", failure);
        }
    }

    /// <summary>Begins a session of its own, so that the terminal's signals go elsewhere.</summary>
    internal static void Detach()
    {
        if (!OperatingSystem.IsWindows())
        {
            _ = BeginSession();
        }
    }

    static async Task<int> FailAsync(int code, string message)
    {
        await Console.Error.WriteLineAsync($"igpt-store: {message}");
        return code;
    }

    static string OneLine(string message) => message.ReplaceLineEndings(" ").Trim().TrimEnd('.');

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int BeginSession();

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
