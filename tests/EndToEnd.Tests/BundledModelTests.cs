using Google.Protobuf;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>What a fresh clone serves where no model is named.</summary>
public sealed class BundledModelTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silo_WithoutModels_ServesTheTrainedOneWithItsHeadAndCard()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync();
        using GrpcChannel channel = server.Connect();
        ListModelsResponse served = await new Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled);
        Protocol.V1.Model model = Assert.Single(served.Models);
        Assert.Equal("shapes", model.Name);
        Assert.True(model.CanGenerate);
        Assert.Equal(Assert.Single(model.Heads).Layer, model.ProbeLayer);
        Assert.Contains("Intended use", model.Card, StringComparison.Ordinal);

        ImageInput[] pictures = [.. Directory.EnumerateFiles(Path.Combine(GoldenSet.RepositoryRoot(), "assets", "images"), "*.png")
            .Select(path => new ImageInput { Encoded = ByteString.CopyFrom(File.ReadAllBytes(path)) })];
        Assert.NotEmpty(pictures);
        ClassifyResponse told = await new ImageGpt.ImageGptClient(channel).ClassifyAsync(new ClassifyRequest { Images = { pictures } }, cancellationToken: Cancelled);
        Assert.All(told.Results, result => Assert.Contains(result.Scores[0].Label, model.Heads[0].Labels));

        // Far from chance, ln 64 = 4.2 nats a token.
        ScoreResponse scores = await new ImageGpt.ImageGptClient(channel).ScoreAsync(new ScoreRequest { Images = { pictures } }, cancellationToken: Cancelled);
        Assert.All(scores.Results, score => Assert.InRange(-score.TotalLogLikelihood / 1024, 0, 0.5));
    }
}
