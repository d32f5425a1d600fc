using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>The embedded store: what it keeps, when it refuses to start, and who starts and ends it.</summary>
public sealed class EmbeddedStoreTests : IAsyncDisposable
{
    const int Damaged = 4;

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;
    Process? _store;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string[] Model => ["--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random")];

    [Fact]
    public async Task Store_MoreThanItsMemoryHolds_IsAllThereAfterAKill()
    {
        const int records = 2000;
        const int size = 200_000; // 400 MB in all, of which memory holds a third
        await StartAsync();
        using (Socket client = await ConnectAsync())
        {
            for (int i = 0; i < records; i++)
            {
                Assert.Equal("+OK\r\n", await AskAsync(client, "SET", $"key-{i}", new string((char)('a' + (i % 26)), size)));
            }
        }

        await KillAsync();
        await StartAsync();
        using Socket again = await ConnectAsync();
        for (int i = 0; i < records; i++)
        {
            Assert.Equal($":{size}\r\n", await AskAsync(again, "STRLEN", $"key-{i}"));
        }
    }

    [Fact]
    public async Task Store_AppendOnlyFileLost_RefusesToStartUntilTheLossIsAccepted()
    {
        await StartAsync();
        using (Socket client = await ConnectAsync())
        {
            Assert.Equal("+OK\r\n", await AskAsync(client, "SET", "key", "value"));
        }

        await KillAsync();
        Directory.Move(Path.Combine(_folder, "data", "AOF"), Path.Combine(_folder, "elsewhere"));
        using Process refused = Launch();
        string words = await refused.StandardError.ReadToEndAsync(Cancelled);
        await refused.WaitForExitAsync(Cancelled);
        Assert.Equal(Damaged, refused.ExitCode);
        Assert.Contains("acknowledged", words, StringComparison.Ordinal);
        Assert.Contains("--accept-loss", words, StringComparison.Ordinal);
        Assert.Single(words.TrimEnd().Split('\n'));
        await StartAsync("--accept-loss");
        using Socket empty = await ConnectAsync();
        Assert.Equal("$-1\r\n", await AskAsync(empty, "GET", "key"));
        Assert.True(Directory.Exists(Path.Combine(Directory.GetDirectories(_folder, "set-aside-*").Single(), "data")), "what was there is kept");
    }

    [Fact]
    public async Task Store_Folder_IsItsUsersAloneAndListensOnNoPort()
    {
        await StartAsync();
        const UnixFileMode file = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        Assert.Equal(file, ModeOf("password"));
        Assert.Equal(file, ModeOf("run/store.sock"));
        Assert.Equal(file | UnixFileMode.UserExecute, ModeOf("run"));
        Assert.Equal(JsonValueKind.Null, Said().GetProperty("port").ValueKind);
        Assert.DoesNotContain(await File.ReadAllTextAsync(Path.Combine(_folder, "password"), Cancelled), await File.ReadAllTextAsync($"/proc/{_store!.Id}/cmdline", Cancelled), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silo_SecondOnAFolder_SaysWhoHasItAndLeavesItsStoreAlone()
    {
        await using ServerProcess first = await ServerProcess.StartSiloAsync([.. Model, "--data", _folder]);
        var second = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.StartSiloAsync([.. Model, "--data", _folder]));
        Assert.Contains("exited with 2", second.Message, StringComparison.Ordinal);
        Assert.Contains($"in use by the node of process {first.Process.Id} ", second.Message, StringComparison.Ordinal);
        using (Socket client = await ConnectAsync())
        {
            Assert.Equal("+PONG\r\n", await AskAsync(client, "PING"));
        }

        await EndAsync(first);
    }

    [Fact]
    public async Task Silo_AddressFileOfAnotherProgram_LeavesThatProgramAlone()
    {
        using Process stranger = Process.Start("sleep", ["600"]);
        try
        {
            string said = JsonSerializer.Serialize(new { process = stranger.Id, port = 1, nonce = "other", socket = "other" });
            await File.WriteAllTextAsync(Path.Combine(_folder, "address.json"), said, Cancelled);
            await using ServerProcess silo = await ServerProcess.StartSiloAsync([.. Model, "--data", _folder]);
            await EndAsync(silo);
            Assert.False(stranger.HasExited);
        }
        finally
        {
            stranger.Kill();
        }
    }

    [Fact]
    public async Task Gateway_OnAFolderOfItsOwn_EndsItsStore()
    {
        await using ServerProcess gateway = ServerProcess.LaunchGatewayOnFolder(_folder);
        await gateway.UntilAsync("it listens", () => Task.FromResult(IsListening(gateway)));
        Assert.True(File.Exists(Path.Combine(_folder, "address.json")), gateway.Output);
        await EndAsync(gateway);
    }

    [Fact]
    public async Task Silo_SiloPortTaken_SaysSoInOneLineAndLeavesNoStore()
    {
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        int port = ((IPEndPoint)taken.LocalEndpoint).Port;
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", [.. Model, "--data", _folder, "--silo-port", $"{port}"], ("Igpt__Store__Enabled", "true"));
        Assert.StartsWith("igpt silo: Igpt:Cluster:SiloPort: ", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
        Assert.Equal(2, code);
        Assert.False(File.Exists(Path.Combine(_folder, "address.json")));
    }

    UnixFileMode ModeOf(string name) => OperatingSystem.IsWindows() ? UnixFileMode.None : File.GetUnixFileMode(Path.Combine(_folder, name));

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
        Assert.False(File.Exists(Path.Combine(_folder, "address.json")), server.Output);
        using Socket client = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await Assert.ThrowsAnyAsync<SocketException>(() => client.ConnectAsync(SocketAddress, Cancelled).AsTask());
    }

    UnixDomainSocketEndPoint SocketAddress => new(Path.Combine(_folder, "run", "store.sock"));

    JsonElement Said()
    {
        using JsonDocument said = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "address.json")));
        return said.RootElement.Clone();
    }

    Process Launch(params string[] more) => Process.Start(new ProcessStartInfo(
        "dotnet", [Path.Combine(ServerProcess.FolderOf("Store"), "igpt-store.dll"), "--folder", _folder, .. more])
    { RedirectStandardOutput = true, RedirectStandardError = true })!;

    async Task StartAsync(params string[] more)
    {
        _store = Launch(more);
        while (await _store.StandardOutput.ReadLineAsync(Cancelled) is { } line)
        {
            if (line.StartsWith("Ready: ", StringComparison.Ordinal))
            {
                return;
            }
        }

        Assert.Fail(await _store.StandardError.ReadToEndAsync(Cancelled));
    }

    async Task KillAsync()
    {
        _store!.Kill();
        await _store.WaitForExitAsync(CancellationToken.None);
        _store.Dispose();
        _store = null;
    }

    async Task<Socket> ConnectAsync()
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(SocketAddress, Cancelled);
        Assert.Equal("+OK\r\n", await AskAsync(socket, "AUTH", await File.ReadAllTextAsync(Path.Combine(_folder, "password"), Cancelled)));
        return socket;
    }

    static async Task<string> AskAsync(Socket socket, params string[] command)
    {
        byte[] request = Encoding.ASCII.GetBytes($"*{command.Length}\r\n" + string.Concat(command.Select(part => $"${part.Length}\r\n{part}\r\n")));
        for (int sent = 0; sent < request.Length;)
        {
            sent += await socket.SendAsync(request.AsMemory(sent), Cancelled);
        }

        byte[] answer = new byte[256];
        return Encoding.ASCII.GetString(answer, 0, await socket.ReceiveAsync(answer, Cancelled));
    }

    public async ValueTask DisposeAsync()
    {
        if (_store is not null)
        {
            await KillAsync();
        }
        else if (File.Exists(Path.Combine(_folder, "address.json")) && Said().GetProperty("nonce").GetString() != "other")
        {
            // A test that failed leaves its store: the folder tells which process it is.
            try
            {
                using Process store = Process.GetProcessById(Said().GetProperty("process").GetInt32());
                store.Kill();
                await store.WaitForExitAsync(CancellationToken.None);
            }
            catch (ArgumentException)
            {
                // It has ended.
            }
        }

        Directory.Delete(_folder, recursive: true);
    }
}
