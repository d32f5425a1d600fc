using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace IgptCluster.Load;

/// <summary>How a silo serves its model.</summary>
internal sealed record ServerTypes(string Device, string DType, string Cache);

/// <summary>A silo process on free loopback ports; told to stop when disposed.</summary>
internal sealed class Server : IAsyncDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(40);

    readonly Process _process;

    Server(Process process, Uri address) => (_process, Address) = (process, address);

    internal Uri Address { get; }

    /// <summary>Physical memory in use, bytes.</summary>
    internal long WorkingSet
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Starts one; returns when it is ready.</summary>
    /// <param name="checkpoint">Folder of the model.</param>
    /// <param name="types">How it is served.</param>
    /// <param name="slots">KV slots.</param>
    /// <param name="data">Folder of its embedded store; null: nothing is stored.</param>
    /// <param name="threads">Threads of its engine; 0: as it chooses.</param>
    internal static async Task<Server> StartAsync(string checkpoint, ServerTypes types, int slots, string? data = null, int threads = 0)
    {
        string[] store = data is null ? ["--no-store"] : ["--data", data];
        string[] engine = threads == 0 ? [] : ["--threads", threads.ToString(CultureInfo.InvariantCulture)];
        int[] ports = [FreePort(), FreePort()];
        (string program, string[] first) = Program();
        var start = new ProcessStartInfo(program,
        [
            .. first, "--model", $"load={checkpoint}", "--device", types.Device, "--dtype", types.DType, "--kv-dtype", types.Cache, "--slots", slots.ToString(CultureInfo.InvariantCulture), "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0", .. store, .. engine,
            "--silo-port", ports[0].ToString(CultureInfo.InvariantCulture), "--client-port", ports[1].ToString(CultureInfo.InvariantCulture), "--cluster-id", Guid.NewGuid().ToString("N"),
        ])
        {
            RedirectStandardOutput = true,
        };
        Process process = Process.Start(start) ?? throw new InvalidOperationException("the silo cannot be started");
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("Ready: gRPC ", StringComparison.Ordinal))
            {
                // Nobody reads the log from here on; it must not fill its pipe.
                _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
                return new Server(process, new Uri(line.Split(' ')[2]));
            }
        }

        await process.WaitForExitAsync();
        throw new InvalidOperationException($"the silo exited with {process.ExitCode}; its words are above");
    }

    public async ValueTask DisposeAsync()
    {
        // Told to stop, it stops its store, too.
        using (Process tell = Process.Start("kill", ["-TERM", _process.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await tell.WaitForExitAsync();
        }

        try
        {
            await _process.WaitForExitAsync().WaitAsync(Patience);
        }
        catch (TimeoutException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    // Beside this program where both were published together, else where the build puts it.
    static (string Program, string[] First) Program()
    {
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string published = Path.Combine(own.FullName, "IgptCluster.Silo");
        return File.Exists(published + ".dll") ? (published, []) : ("dotnet", [Path.Combine(own.Parent!.Parent!.FullName, "Silo", own.Name, "IgptCluster.Silo.dll")]);
    }

    static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
