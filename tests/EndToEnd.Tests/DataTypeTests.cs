using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Models of one silo, each served in types of its own.</summary>
public sealed class DataTypeTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silo_ModelsWithTypesOfTheirOwn_ServesEachInItsOwn()
    {
        string folder = Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random");
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--dtype", "bfloat16", "--model", $"usual={folder}", "--model", $"wide={folder},kv-dtype=float32,dtype=float32");
        using GrpcChannel channel = server.Connect();
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
        Assert.Equal([("usual", "bfloat16"), ("wide", "float32")], cluster.Replicas.Select(replica => (replica.Model, replica.Dtype)).Order());
        Assert.All(cluster.Replicas, replica => Assert.Equal(1, replica.Loaded));
        float[] usual = await EmbedAsync(channel, "usual");
        float[] wide = await EmbedAsync(channel, "wide");
        Assert.NotEqual(wide, usual);
        float largest = wide.Max(Math.Abs);
        Assert.All(wide.Zip(usual), pair => Assert.Equal(pair.First, pair.Second, largest * 0.02f));
    }

    [Fact]
    public async Task Silo_TypeThatDoesNotExist_SaysWhichThereAre()
    {
        var start = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.StartSiloAsync("--model", $"{Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random")},dtype=float64"));
        Assert.Contains("a data type is float32, bfloat16, int8 (--model PATH,dtype=TYPE,kv-dtype=TYPE); given 'float64'", start.Message, StringComparison.Ordinal);
    }

    static async Task<float[]> EmbedAsync(GrpcChannel channel, string model)
    {
        var image = new ImageInput { Tokens = new TokenGrid { Width = 4, Height = 4, Ids = { Enumerable.Range(0, 16).Select(i => (uint)i) } } };
        EmbedResponse response = await new ImageGpt.ImageGptClient(channel).EmbedAsync(new EmbedRequest { Model = model, Images = { image } }, cancellationToken: Cancelled);
        return [.. response.Embeddings[0].Values];
    }
}
