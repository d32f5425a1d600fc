using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Garnet;

namespace IgptCluster.Store;

/// <summary>Serves one folder until it is told to stop.</summary>
internal static partial class StoreProgram
{
    const int FolderTaken = 3;

    /// <summary>Serves a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="port">Port on loopback; 0 takes a free one.</param>
    /// <param name="cancellationToken">Stops in order: what was written is on the disk.</param>
    /// <returns>The process's exit code.</returns>
    internal static async Task<int> RunAsync(string path, int port, CancellationToken cancellationToken)
    {
        StoreFolder? folder = StoreFolder.TryOpen(path);
        if (folder is null)
        {
            await Console.Error.WriteLineAsync($"igpt store: another store serves {path}: stop it first, or name another folder");
            return FolderTaken;
        }

        using (folder)
        {
            int chosen = port > 0 ? port : FreePort();
            using var server = new GarnetServer(Arguments(folder, chosen));
            server.Start();
            folder.Announce(chosen);
            Console.WriteLine($"Ready: store on 127.0.0.1:{chosen}, folder {path}");
            var stop = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using CancellationTokenRegistration told = cancellationToken.Register(stop.SetResult);
            await stop.Task;
            return 0;
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

    // Sizes for session logs of kilobytes, not for a cache of gigabytes; checkpoints keep the append-only file from growing for ever.
    static string[] Arguments(StoreFolder folder, int port) =>
    [
        "-q", "--bind", "127.0.0.1", "--port", $"{port}", "--auth", "Password", "--password", folder.Password, "--lua",
        "--aof", "--aof-commit-wait", "--recover", "--checkpointdir", folder.Data, "--checkpoint-freq", "60", "--device-type", "RandomAccess",
        "--memory", "256m", "--page", "1m", "--index", "4m", "--aof-memory", "16m", "--aof-page-size", "4m", "--aof-segment-size", "8m",
    ];

    [LibraryImport("libc", EntryPoint = "setsid")]
    private static partial int BeginSession();

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
