using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Stores on one folder, one after the other; the last one is killed, and the folder deleted, when disposed.</summary>
internal sealed class StoreFolderProcess : IAsyncDisposable
{
    readonly StringBuilder _words = new();
    Process? _process;

    /// <summary>The data folder.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    /// <summary>What the latest one has written to its error output by now.</summary>
    public string Words
    {
        get
        {
            lock (_words)
                return _words.ToString();
        }
    }

    /// <summary>The one that runs.</summary>
    public Process Process => _process!;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Starts one; fails the test unless it gets ready.</summary>
    public async Task StartAsync(params string[] more)
    {
        if (await TryStartAsync(more) is { } refusal)
        {
            Assert.Fail($"the store ended with {refusal.Code}: {refusal.Words}");
        }
    }

    /// <summary>Starts one.</summary>
    /// <returns>How it ended instead of getting ready; null: it is ready.</returns>
    public async Task<(int Code, string Words)?> TryStartAsync(params string[] more)
    {
        Process process = Process.Start(new ProcessStartInfo(
            "dotnet", [Path.Combine(ServerProcess.FolderOf("Store"), "igpt-store.dll"), "--folder", Folder, .. more])
        { RedirectStandardOutput = true, RedirectStandardError = true })!;
        lock (_words)
            _words.Clear();
        process.ErrorDataReceived += (_, line) => Hear(line.Data);
        process.BeginErrorReadLine();
        while (await process.StandardOutput.ReadLineAsync(Cancelled) is { } line)
        {
            if (line.StartsWith("Ready: ", StringComparison.Ordinal))
            {
                _process = process;
                return null;
            }
        }

        using (process)
        {
            // All that it wrote has been read then.
            await process.WaitForExitAsync(Cancelled);
            return (process.ExitCode, Words);
        }
    }

    /// <summary>Kills the one that runs.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
        _process = null;
    }

    void Hear(string? line)
    {
        lock (_words)
            _words.Append(line).Append(line is null ? "" : "\n");
    }

    /// <summary>Connects to it.</summary>
    public Task<StoreClient> ConnectAsync() => StoreClient.ConnectAsync(Folder);

    /// <summary>What a file of the folder that carries its own checksum holds.</summary>
    public JsonElement? Sealed(string name)
    {
        string[] lines = File.Exists(Path.Combine(Folder, name)) ? File.ReadAllText(Path.Combine(Folder, name)).Split('\n', 2) : [];
        if (lines.Length < 2)
        {
            return null;
        }

        using JsonDocument said = JsonDocument.Parse(lines[1]);
        return said.RootElement.Clone();
    }

    /// <summary>Ends whichever store serves the folder, as a node that a test has killed leaves it: the folder tells which process it is.</summary>
    public async Task EndAnyAsync()
    {
        string address = Path.Combine(Folder, "address.json");
        if (!File.Exists(address))
        {
            return;
        }

        try
        {
            using JsonDocument said = JsonDocument.Parse(await File.ReadAllTextAsync(address, CancellationToken.None));
            using Process store = Process.GetProcessById(said.RootElement.GetProperty("process").GetInt32());
            store.Kill();
            await store.WaitForExitAsync(CancellationToken.None);
        }
        catch (ArgumentException)
        {
            // It has ended.
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }

        Directory.Delete(Folder, recursive: true);
    }
}
