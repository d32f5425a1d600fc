using System.Diagnostics;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A store whose disk has no room at all: a disk of its own, of memory, which only root may mount.</summary>
public sealed class FullDiskTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silo_DiskOfItsStoreIsFull_SaysSoRefusesSessionsAndGoesOnOnceThereIsRoom()
    {
        await using var store = new StoreFolderProcess();
        await MountAsync(store, "160m");
        try
        {
            await using ServerProcess silo = await ServerProcess.StartSiloAsync("--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"), "--data", store.Folder);
            using GrpcChannel channel = silo.Connect();
            var request = new GenerateRequest { Sampling = new SamplingParameters { Seed = 16 }, SessionTtl = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(TimeSpan.FromHours(1)) };
            GenerateClient.Sample before = Assert.Single(await GenerateClient.GenerateAsync(channel, request, Cancelled));
            string filler = Path.Combine(store.Folder, "filler");
            Fill(filler);
            await silo.UntilAsync("it is not ready, since its store takes no write", async () => (await ReadinessAsync(silo)).Contains("store: ", StringComparison.Ordinal));
            await silo.UntilAsync("its log tells of the disk", () => Task.FromResult(silo.Output.Contains("kB free", StringComparison.Ordinal)));
            Assert.Equal("unavailable", (await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled)).Store.State);
            RpcException refused = await Assert.ThrowsAsync<RpcException>(() => GenerateClient.GenerateAsync(channel, request, Cancelled));
            Assert.True(refused.StatusCode is StatusCode.Unavailable or StatusCode.ResourceExhausted, refused.ToString());
            Assert.Contains("store", refused.Status.Detail, StringComparison.Ordinal);
            File.Delete(filler);
            await silo.UntilAsync("it is ready again", async () => (await ReadinessAsync(silo)).StartsWith("Healthy", StringComparison.Ordinal));
            GenerateClient.Sample after = Assert.Single(await GenerateClient.GenerateAsync(channel, request, Cancelled));
            Assert.Equal(before.Tokens, after.Tokens);
            Session kept = await new Sessions.SessionsClient(channel).GetAsync(new GetSessionRequest { SessionId = before.SessionId }, cancellationToken: Cancelled);
            Assert.Equal(1024u, kept.Position);
            silo.Signal("TERM");
            Assert.Equal(0, await silo.EndAsync());
        }
        finally
        {
            await store.EndAnyAsync();
            await RunAsync("umount", "--lazy", store.Folder);
        }
    }

    [Fact]
    public async Task Store_StartedOnAFullDisk_EndsAndServesOnceThereIsRoom()
    {
        await using var store = new StoreFolderProcess();
        await MountAsync(store, "64m");
        try
        {
            await store.StartAsync();
            using (StoreClient client = await store.ConnectAsync())
            {
                Assert.Equal("OK", await client.AskAsync("SET", "early", "1"));
            }

            await store.KillAsync();
            string filler = Path.Combine(store.Folder, "filler");
            Fill(filler);
            (int Code, string Words)? refusal = await store.TryStartAsync();
            Assert.Equal(1, refusal?.Code);
            Assert.Contains("kB free", refusal!.Value.Words, StringComparison.Ordinal);
            Assert.Single(refusal.Value.Words.TrimEnd().Split('\n'));
            File.Delete(filler);
            await store.StartAsync();
            using (StoreClient client = await store.ConnectAsync())
            {
                Assert.Equal("1", await client.AskAsync("GET", "early"));
            }

            await store.KillAsync();
        }
        finally
        {
            await RunAsync("umount", "--lazy", store.Folder);
        }
    }

    static async Task MountAsync(StoreFolderProcess store, string size)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && OperatingSystem.IsLinux(), "only root may mount a disk");
        Assert.SkipUnless(await RunAsync("mount", "-t", "tmpfs", "-o", $"size={size}", "igpt-test", store.Folder) == 0, "this root may not mount a disk");
    }

    static async Task<string> ReadinessAsync(ServerProcess silo)
    {
        using var client = new HttpClient();
        using HttpResponseMessage response = await client.GetAsync(new Uri(silo.HttpAddress!, "/readyz"), Cancelled);
        return await response.Content.ReadAsStringAsync(Cancelled);
    }

    static void Fill(string file)
    {
        using var filler = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] block = new byte[1 << 20];
        for (int size = block.Length; size >= 1024;)
        {
            try
            {
                filler.Write(block.AsSpan(0, size));
            }
            catch (IOException)
            {
                size /= 4;
            }
        }
    }

    static async Task<int> RunAsync(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(program, arguments);
            await process.WaitForExitAsync(CancellationToken.None);
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }
}
