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
    public async Task Silo_WithoutModels_ServesTheTrainedOnesWithHeadsAndCards()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync();
        using GrpcChannel channel = server.Connect();
        ListModelsResponse served = await new Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled);
        Assert.Equal(["shapes", "shapes-classifier"], served.Models.Select(model => model.Name));
        Assert.All(served.Models, model => Assert.Contains("Intended use", model.Card, StringComparison.Ordinal));
        Protocol.V1.Model model = served.Models[0];
        Assert.True(model.CanGenerate);
        Assert.Equal(Assert.Single(model.Heads).Layer, model.ProbeLayer);

        string[] paths = [.. Directory.EnumerateFiles(Path.Combine(GoldenSet.RepositoryRoot(), "assets", "images"), "*.png")];
        ImageInput[] pictures = [.. paths.Select(path => new ImageInput { Encoded = ByteString.CopyFrom(File.ReadAllBytes(path)) })];
        Assert.NotEmpty(pictures);
        string[] told = await ToldAsync("shapes");
        Assert.All(told, label => Assert.Contains(label, model.Heads[0].Labels));

        // The card says 99.5 of 100.
        string[] toldBetter = await ToldAsync("shapes-classifier");
        Assert.InRange(toldBetter.Zip(paths.Select(Path.GetFileNameWithoutExtension)).Count(pair => pair.First == pair.Second), paths.Length - 1, paths.Length);

        // Far from chance, ln 64 = 4.2 nats a token.
        ScoreResponse scores = await new ImageGpt.ImageGptClient(channel).ScoreAsync(new ScoreRequest { Images = { pictures } }, cancellationToken: Cancelled);
        Assert.All(scores.Results, score => Assert.InRange(-score.TotalLogLikelihood / 1024, 0, 0.5));

        async Task<string[]> ToldAsync(string name)
        {
            var request = new ClassifyRequest { Model = name, Images = { pictures } };
            ClassifyResponse response = await new ImageGpt.ImageGptClient(channel).ClassifyAsync(request, cancellationToken: Cancelled);
            return [.. response.Results.Select(result => result.Scores[0].Label)];
        }
    }
}
