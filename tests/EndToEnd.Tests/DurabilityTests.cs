using System.Diagnostics;
using System.Text.Json;
using System.Text.RegularExpressions;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Generations that outlive the processes that make them.</summary>
public sealed class DurabilityTests : IDisposable
{
    const int Samples = 24;

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    // Few slots: most sessions wait for long when the first token comes, on any machine.
    string[] Arguments => ["--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"), "--slots", "2", "--data", _folder];

    [Fact]
    public async Task Silo_KilledWhileGenerating_TheNextOneOnItsFolderGoesOnWithoutATokenLost()
    {
        var request = new GenerateRequest { Samples = Samples, Sampling = new SamplingParameters { Seed = 11 }, SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMinutes(10)) };
        (string Id, List<uint> Tokens)[] seen = [.. Enumerable.Range(0, Samples).Select(_ => ("", new List<uint>()))];
        await using (ServerProcess first = await ServerProcess.StartSiloAsync(Arguments))
        {
            using GrpcChannel channel = first.Connect();
            await Assert.ThrowsAsync<RpcException>(() => GenerateClient.GenerateAsync(channel, request, Cancelled, happened =>
            {
                seen[happened.Sample].Id = happened.SessionId;
                seen[happened.Sample].Tokens.AddRange(happened.Tokens?.Ids ?? []);
                if (happened.EventCase == GenerateEvent.EventOneofCase.Tokens && !first.Process.HasExited)
                {
                    first.Process.Kill();
                }
            }));
        }

        await using ServerProcess second = await ServerProcess.StartSiloAsync(Arguments);
        using GrpcChannel again = second.Connect();
        GenerateClient.Sample[] undisturbed = await GenerateClient.GenerateAsync(again, request, Cancelled);
        GenerateClient.Sample[] rest = await Task.WhenAll(seen.Select(async one => (await GenerateClient.ReadAsync(
            new Sessions.SessionsClient(again).Attach(new AttachRequest { SessionId = one.Id, FromPosition = (uint)one.Tokens.Count }, cancellationToken: Cancelled), null, Cancelled)).Single()));
        for (int sample = 0; sample < Samples; sample++)
        {
            Assert.Equal(undisturbed[sample].Tokens, [.. seen[sample].Tokens.Select(token => (int)token), .. rest[sample].Tokens]);
            Assert.Equal(FinishReason.Completed, rest[sample].Finished!.Reason);
        }

        Assert.Contains(rest, sample => sample.Finished!.Timings.Resumptions > 0);
        await StopAsync(second);
    }

    [Fact]
    public async Task Store_KilledWhileGenerating_IsStartedAgainAndGenerationGoesOn()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync(Arguments);
        using GrpcChannel channel = server.Connect();
        int process = Store().Process;
        int tokens = 0;
        bool isKilled = false;
        var request = new GenerateRequest { Samples = Samples, Sampling = new SamplingParameters { Seed = 12 } };
        GenerateClient.Sample[] samples = await GenerateClient.GenerateAsync(channel, request, Cancelled, happened =>
        {
            tokens += happened.Tokens?.Ids.Count ?? 0;
            if (tokens > 100 && !isKilled)
            {
                using Process running = Process.GetProcessById(process);
                running.Kill();
                isKilled = true;
            }
        });
        Assert.True(isKilled);
        Assert.All(samples, sample => Assert.Equal(1024, sample.Tokens.Count));
        GenerateClient.Sample[] again = await GenerateClient.GenerateAsync(channel, request, Cancelled);
        Assert.Equal(again.Select(sample => sample.Tokens), samples.Select(sample => sample.Tokens));
        Assert.NotEqual(process, Store().Process);
    }

    [Fact]
    public async Task Store_KilledAfterItsNodeWasKilledAndStartedAgain_IsStartedAgainAndStores()
    {
        await using (ServerProcess first = await ServerProcess.StartSiloAsync(Arguments))
        {
            first.Process.Kill();
            await first.EndAsync();
        }

        await using ServerProcess second = await ServerProcess.StartSiloAsync(Arguments);
        Assert.Contains("was running already", second.Output, StringComparison.Ordinal);
        for (int kill = 0; kill < 2; kill++) // the one that was found, then the one that was started in its place
        {
            int process = Store().Process;
            using (Process running = Process.GetProcessById(process))
            {
                running.Kill();
            }

            await second.UntilAsync("another process serves the folder", () => Task.FromResult(Store().Process != process));
            using GrpcChannel channel = second.Connect();
            var request = new GenerateRequest { Sampling = new SamplingParameters { Seed = 14 }, SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMinutes(10)) };
            Assert.Equal(FinishReason.Completed, (await GenerateClient.GenerateAsync(channel, request, Cancelled)).Single().Finished!.Reason);
        }

        Assert.DoesNotContain("cannot be started again", second.Output, StringComparison.Ordinal);
        await StopAsync(second);
    }

    [Fact]
    public async Task Gateway_SilosKilledOneAfterTheOtherWhileItStreams_DeliversEveryTokenOnce()
    {
        using Process store = StartStore();
        var servers = new List<ServerProcess>();
        try
        {
            await UntilAsync(() => File.Exists(Path.Combine(_folder, "address.json")));
            string address = $"127.0.0.1:{Store().Port},password={await File.ReadAllTextAsync(Path.Combine(_folder, "password"), Cancelled)}";
            string cluster = Guid.NewGuid().ToString("N");
            for (int silo = 0; silo < 3; silo++)
            {
                servers.Add(await ServerProcess.StartSiloOnStoreAsync(address, cluster, [.. Arguments[..4], "--gateway", "false"]));
            }

            servers.Add(await ServerProcess.StartGatewayAsync(servers[0], address));
            using GrpcChannel channel = servers[^1].Connect();
            await servers[^1].UntilAsync("three replicas are ready", async () =>
                (await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled)).Replicas.Count(replica => replica.State == "ready") == 3);
            int tokens = 0;
            int killed = 0;
            var request = new GenerateRequest { Samples = Samples, Sampling = new SamplingParameters { Seed = 13 }, SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromMinutes(10)) };
            GenerateClient.Sample[] samples = await GenerateClient.GenerateAsync(channel, request, Cancelled, happened =>
            {
                tokens += happened.Tokens?.Ids.Count ?? 0;
                if (killed < 2 && tokens > (killed + 1) * 200)
                {
                    servers[killed++].Process.Kill();
                }
            });
            Assert.Equal(2, killed);
            GenerateClient.Sample[] undisturbed = await GenerateClient.GenerateAsync(channel, request, Cancelled);
            Assert.Equal(undisturbed.Select(sample => sample.Tokens), samples.Select(sample => sample.Tokens));
            Assert.Contains(samples, sample => sample.Finished!.Timings.Resumptions > 0);
            Assert.Equal("ready", (await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled)).Store.State);

            // A lost silo is expected: one sentence, and no stacks, whoever logs it.
            string[] logged = [.. servers.SelectMany(server => Regex.Split(server.Output, @"(?m)(?=^\d{4}-\d\d-\d\dT)"))];
            Assert.Contains(logged, entry => entry.Contains("is gone: its process has ended", StringComparison.Ordinal));
            string stacks = string.Concat(logged.Where(entry => entry.Contains("   at ", StringComparison.Ordinal)));
            Assert.True(stacks.Length == 0, stacks);
        }
        finally
        {
            foreach (ServerProcess server in servers)
            {
                await server.DisposeAsync();
            }

            store.Kill();
            await store.WaitForExitAsync(CancellationToken.None);
        }
    }

    Process StartStore(int port = 0) => Process.Start(
        new ProcessStartInfo("dotnet", [Path.Combine(ServerProcess.FolderOf("Store"), "igpt-store.dll"), "--folder", _folder, "--port", $"{port}"]) { RedirectStandardOutput = true })!;

    static async Task UntilAsync(Func<bool> holds)
    {
        using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        limit.CancelAfter(TimeSpan.FromSeconds(90));
        while (!holds())
        {
            await tick.WaitForNextTickAsync(limit.Token);
        }
    }

    public void Dispose()
    {
        // A test that failed leaves its store: the folder tells which process it is.
        if (File.Exists(Path.Combine(_folder, "address.json")))
        {
            try
            {
                using Process store = Process.GetProcessById(Store().Process);
                store.Kill();
                store.WaitForExit();
            }
            catch (ArgumentException)
            {
                // It has ended.
            }
        }

        Directory.Delete(_folder, recursive: true);
    }

    (int Process, int? Port) Store()
    {
        using JsonDocument address = JsonDocument.Parse(File.ReadAllText(Path.Combine(_folder, "address.json")));
        return (address.RootElement.GetProperty("process").GetInt32(), address.RootElement.GetProperty("port") is { ValueKind: JsonValueKind.Number } port ? port.GetInt32() : null);
    }

    async Task StopAsync(ServerProcess server)
    {
        using Process kill = Process.Start("kill", ["-TERM", $"{server.Process.Id}"]);
        await server.Process.WaitForExitAsync(Cancelled);
        Assert.Equal(0, server.Process.ExitCode);
        Assert.False(File.Exists(Path.Combine(_folder, "address.json")), "the store goes with the silo that stops in order");
    }
}
