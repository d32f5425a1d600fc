using System.Diagnostics;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Silos that guess tokens, and one that does not.</summary>
public sealed class DrafterTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Generate_WithAndWithoutADrafterOrItsTable_GivesTheSameTokens()
    {
        // With the model's own pictures counted; with a file that is damaged, which is told and left aside; one token a step.
        using var counted = new TempFolder();
        using var damaged = new TempFolder();
        foreach (string folder in new[] { counted.Path, damaged.Path })
        {
            foreach (string file in new[] { "config.json", "preprocessor_config.json", "model.safetensors" })
            {
                File.Copy(Path.Combine(GoldenSet.RepositoryRoot(), "assets", "models", "shapes", file), Path.Combine(folder, file));
            }
        }

        await CountAsync(counted.Path);
        byte[] table = await File.ReadAllBytesAsync(Path.Combine(counted.Path, "draft.bin"), Cancelled);
        table[^1] ^= 1;
        await File.WriteAllBytesAsync(Path.Combine(damaged.Path, "draft.bin"), table, Cancelled);

        (int[][] plain, Replica none, _) = await RunAsync(counted.Path, "--drafter", "none");
        (int[][] guessed, Replica both, _) = await RunAsync(counted.Path);
        (int[][] alone, Replica one, string log) = await RunAsync(damaged.Path);
        Assert.Equal(plain, guessed);
        Assert.Equal(plain, alone);
        Assert.Equal(("", 0ul), (none.Drafter, none.DraftedTokens));
        Assert.Equal(("neighbours and table", "neighbours"), (both.Drafter, one.Drafter));
        Assert.All([both, one], replica => Assert.InRange(replica.AcceptedTokens, 1ul, replica.DraftedTokens));
        Assert.Contains("Tokens are guessed without the model's table", log, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", log, StringComparison.Ordinal);
    }

    static async Task CountAsync(string model)
    {
        using Process training = Process.Start("dotnet", [Path.Combine(ServerProcess.FolderOf("Training"), "igpt-train.dll"), "draft", "--model", model, "--samples", "4"]);
        await training.WaitForExitAsync(Cancelled);
        Assert.Equal(0, training.ExitCode);
    }

    static async Task<(int[][] Tokens, Replica Replica, string Log)> RunAsync(string model, params string[] more)
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync(["--model", $"shapes={model}", .. more]);
        using GrpcChannel channel = server.Connect();
        var request = new GenerateRequest { Model = "shapes", Samples = 2, Sampling = new SamplingParameters { Seed = 4, Temperature = 0.9 }, MaxNewTokens = 400 };
        request.Forced.Add(new ForcedToken { Position = 40, Token = 3 });
        GenerateClient.Sample[] samples = await GenerateClient.GenerateAsync(channel, request, Cancelled);

        // What is told of a replica is up to a quarter of a second old.
        Replica told = new();
        await server.UntilAsync("what it has done is told", async () =>
        {
            ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
            told = Assert.Single(cluster.Replicas);
            return told.Drafter.Length == 0 || told.AcceptedTokens > 0;
        });
        return ([.. samples.Select(sample => sample.Tokens.ToArray())], told, server.Output);
    }
}
