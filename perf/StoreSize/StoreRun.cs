using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using StackExchange.Redis;

namespace IgptCluster.StoreSize;

/// <summary>A store that runs, and a connection to it. Killed when disposed.</summary>
internal sealed class StoreRun : IAsyncDisposable
{
    readonly Process _process;
    ConnectionMultiplexer? _connection;

    StoreRun(Process process) => _process = process;

    /// <summary>Time from the process's start until it served.</summary>
    internal TimeSpan StartTime { get; private set; }

    internal IDatabase Records => _connection!.GetDatabase();

    /// <summary>Memory of the process that is resident now, MB.</summary>
    internal int Resident => Status("VmRSS:");

    /// <summary>The most that was, MB.</summary>
    internal int MostResident => Status("VmHWM:");

    internal static async Task<StoreRun> StartAsync(string folder, CancellationToken cancellationToken)
    {
        // bin/PROJECT/CONFIGURATION lie side by side.
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string program = Path.Combine(own.Parent!.Parent!.FullName, "Store", own.Name, "igpt-store.dll");
        var watch = Stopwatch.StartNew();
        var store = new StoreRun(Process.Start(new ProcessStartInfo("dotnet", [program, "--folder", folder]) { RedirectStandardOutput = true })!);
        try
        {
            string? line = await store._process.StandardOutput.ReadLineAsync(cancellationToken);
            store.StartTime = line?.StartsWith("Ready", StringComparison.Ordinal) == true ? watch.Elapsed : throw new IOException("the store does not start; its own words are above");
            var options = new ConfigurationOptions { Password = await File.ReadAllTextAsync(Path.Combine(folder, "password"), cancellationToken), AsyncTimeout = 60_000 };
            options.EndPoints.Add(new UnixDomainSocketEndPoint(Path.Combine(folder, "run", "store.sock")));
            store._connection = await ConnectionMultiplexer.ConnectAsync(options);
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        if (_connection is not null)
        {
            await _connection.DisposeAsync();
        }
    }

    int Status(string name) => int.Parse(File.ReadLines($"/proc/{_process.Id}/status").Single(line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..^"kB".Length], CultureInfo.InvariantCulture) / 1024;
}
