using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>The embedded store: what it keeps, when it refuses to start, and who starts and ends it.</summary>
public sealed class EmbeddedStoreTests : IAsyncDisposable
{
    const int Damaged = 4;

    readonly StoreFolderProcess _store = new();
    bool _hasOwnStore = true; // or the folder tells of another program

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    string Folder => _store.Folder;

    static string[] Model => ["--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random")];

    [Fact]
    public async Task Store_MoreThanItsMemoryHolds_IsAllThereAfterAKill()
    {
        const int records = 2000;
        const int size = 200_000; // 400 MB in all, of which memory holds a third
        await _store.StartAsync();
        using (StoreClient client = await _store.ConnectAsync())
        {
            for (int i = 0; i < records; i++)
            {
                Assert.Equal("OK", await client.AskAsync("SET", $"key-{i}", new string((char)('a' + (i % 26)), size)));
            }
        }

        await _store.KillAsync();
        await _store.StartAsync();
        using StoreClient again = await _store.ConnectAsync();
        for (int i = 0; i < records; i++)
        {
            Assert.Equal($"{size}", await again.AskAsync("STRLEN", $"key-{i}"));
        }
    }

    [Fact]
    public async Task Store_AppendOnlyFileLost_RefusesToStartUntilTheLossIsAccepted()
    {
        await _store.StartAsync();
        using (StoreClient client = await _store.ConnectAsync())
        {
            Assert.Equal("OK", await client.AskAsync("SET", "key", "value"));
        }

        await _store.KillAsync();
        Directory.Move(Path.Combine(Folder, "data", "AOF"), Path.Combine(Folder, "elsewhere"));
        (int code, string words) = Assert.NotNull(await _store.TryStartAsync());
        Assert.Equal(Damaged, code);
        Assert.Contains("AOF", words, StringComparison.Ordinal);
        Assert.Contains("--accept-loss", words, StringComparison.Ordinal);
        Assert.Single(words.TrimEnd().Split('\n'));
        await _store.StartAsync("--accept-loss");
        using StoreClient empty = await _store.ConnectAsync();
        Assert.Null(await empty.AskAsync("GET", "key"));
        Assert.True(Directory.Exists(Path.Combine(Directory.GetDirectories(Folder, "set-aside-*").Single(), "data")), "what was there is kept");
    }

    [Fact]
    public async Task Store_Folder_IsItsUsersAloneAndListensOnNoPort()
    {
        await _store.StartAsync();
        const UnixFileMode file = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(file, ModeOf("password"));
        Assert.Equal(file, ModeOf("run/store.sock"));
        Assert.Equal(file | UnixFileMode.UserExecute, ModeOf("run"));
        Assert.Equal(JsonValueKind.Null, Said().GetProperty("port").ValueKind);
        Assert.DoesNotContain(await File.ReadAllTextAsync(Path.Combine(Folder, "password"), Cancelled), await File.ReadAllTextAsync($"/proc/{_store.Process.Id}/cmdline", Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silo_SecondOnAFolder_SaysWhoHasItAndLeavesItsStoreAlone()
    {
        await using ServerProcess first = await ServerProcess.StartSiloAsync([.. Model, "--data", Folder]);
        var second = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.StartSiloAsync([.. Model, "--data", Folder]));
        Assert.Contains("exited with 2", second.Message, StringComparison.Ordinal);
        Assert.Contains($"in use by the node of process {first.Process.Id} ", second.Message, StringComparison.Ordinal);
        using (StoreClient client = await _store.ConnectAsync())
        {
            Assert.Equal("PONG", await client.AskAsync("PING"));
        }

        await EndAsync(first);
    }

    [Fact]
    public async Task Silo_AddressFileOfAnotherProgram_LeavesThatProgramAlone()
    {
        using Process stranger = Process.Start("sleep", ["600"]);
        try
        {
            _hasOwnStore = false;
            string said = JsonSerializer.Serialize(new { process = stranger.Id, port = 1, nonce = "other", socket = "other" });
            await File.WriteAllTextAsync(Path.Combine(Folder, "address.json"), said, Cancelled);
            await using ServerProcess silo = await ServerProcess.StartSiloAsync([.. Model, "--data", Folder]);
            await EndAsync(silo);
            Assert.False(stranger.HasExited);
            _hasOwnStore = true;
        }
        finally
        {
            stranger.Kill();
        }
    }

    [Fact]
    public async Task Gateway_OnAFolderOfItsOwn_EndsItsStore()
    {
        await using ServerProcess gateway = ServerProcess.LaunchGatewayOnFolder(Folder);
        await gateway.UntilAsync("it listens", () => Task.FromResult(IsListening(gateway)));
        Assert.True(File.Exists(Path.Combine(Folder, "address.json")), gateway.Output);
        await EndAsync(gateway);
    }

    [Fact]
    public async Task Silo_SiloPortTaken_SaysSoInOneLineAndLeavesNoStore()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", [.. Model, "--data", Folder, "--silo-port", $"{port}"], ("Igpt__Store__Enabled", "true"));
        Assert.StartsWith("igpt silo: Igpt:Cluster:SiloPort: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
        Assert.Equal(2, code);
        Assert.False(File.Exists(Path.Combine(Folder, "address.json")));
    }

    UnixFileMode ModeOf(string name) => OperatingSystem.IsWindows() ? UnixFileMode.None : File.GetUnixFileMode(Path.Combine(Folder, name));

    static bool IsListening(ServerProcess server)
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            probe.Connect(server.GrpcAddress!.Host, server.GrpcAddress.Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    // In order, and with nothing left that serves the folder.
    async Task EndAsync(ServerProcess server)
    {
        server.Signal("TERM");
        Assert.Equal(0, await server.EndAsync());
        Assert.False(File.Exists(Path.Combine(Folder, "address.json")), server.Output);
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await Assert.ThrowsAnyAsync<SocketException>(() => client.ConnectAsync(SocketAddress, Cancelled).AsTask());
    }

    UnixDomainSocketEndPoint SocketAddress => new(Path.Combine(Folder, "run", "store.sock"));

    JsonElement Said()
    {
        using JsonDocument said = JsonDocument.Parse(File.ReadAllText(Path.Combine(Folder, "address.json")));
        return said.RootElement.Clone();
    }

    public async ValueTask DisposeAsync()
    {
        if (_hasOwnStore)
        {
            await _store.EndAnyAsync(); // a test that failed leaves it
        }

        await _store.DisposeAsync();
    }
}
