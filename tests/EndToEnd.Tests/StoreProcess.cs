using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A store on a folder of its own; killed by its own handle, and its folder deleted, when disposed.</summary>
internal sealed class StoreProcess : IAsyncDisposable
{
    // A busy machine is no failure.
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;
    Process _process;
    int _port;

    StoreProcess() => _process = Launch();

    /// <summary>As --store takes it.</summary>
    public string Address { get; private set; } = "";

    public static async Task<StoreProcess> StartAsync()
    {
        var store = new StoreProcess();
        try
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
            limit.CancelAfter(Limit);
            using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
            while (!File.Exists(store.AddressFile))
            {
                await tick.WaitForNextTickAsync(limit.Token);
            }

            using JsonDocument address = JsonDocument.Parse(await File.ReadAllTextAsync(store.AddressFile, limit.Token));
            string password = await File.ReadAllTextAsync(Path.Combine(store._folder, "password"), limit.Token);
            store._port = address.RootElement.GetProperty("port").GetInt32();
            store.Address = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{store._port},password={password}");
            return store;
        }
        catch
        {
            await store.DisposeAsync();
            throw;
        }
    }

    /// <summary>Kills it, and starts it again on its folder and port; does not wait until it answers.</summary>
    public void Restart()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _process = Launch();
    }

    string AddressFile => Path.Combine(_folder, "address.json");

    Process Launch() => Process.Start(new ProcessStartInfo(
        "dotnet", [Path.Combine(ServerProcess.FolderOf("Store"), "igpt-store.dll"), "--folder", _folder, "--port", _port.ToString(CultureInfo.InvariantCulture)])
    { RedirectStandardOutput = true })!;

    public async ValueTask DisposeAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
