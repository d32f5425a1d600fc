using Google.Protobuf;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>What a fresh clone serves where no model is named.</summary>
public sealed class BundledModelTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string[] Pictures => [.. Directory.EnumerateFiles(Path.Combine(GoldenSet.RepositoryRoot(), "assets", "images"), "*.png").Order(StringComparer.Ordinal)];

    [Fact]
    public async Task Silo_WithoutModels_ServesTheTrainedOnesAndTellsItsSamplePictures()
    {
        await using ServerProcess server = await ServerProcess.StartSiloAsync();
        using GrpcChannel channel = server.Connect();
        ListModelsResponse served = await new Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled);
        Assert.Equal(["shapes", "shapes-classifier"], served.Models.Select(model => model.Name));
        Assert.True(served.Models[0].CanGenerate);
        Assert.Equal(served.Models[0].Heads[0].Layer, served.Models[0].ProbeLayer);
        Assert.All(served.Models, model => Assert.Contains("Intended use", model.Card, StringComparison.Ordinal));

        // Each picture is named after its class.
        string[] names = [.. Pictures.Select(path => Path.GetFileNameWithoutExtension(path))];
        Assert.True(names.Length >= 4);
        foreach (string model in served.Models.Select(model => model.Name))
        {
            ClassifyResponse told = await new ImageGpt.ImageGptClient(channel).ClassifyAsync(Request(model), cancellationToken: Cancelled);
            Assert.Equal(names, told.Results.Select(result => result.Scores[0].Label));
        }

        // Far from chance, ln 512 = 6.2 nats a token.
        var scoring = new ScoreRequest { Images = { Pictures.Select(Read) } };
        ScoreResponse scores = await new ImageGpt.ImageGptClient(channel).ScoreAsync(scoring, cancellationToken: Cancelled);
        Assert.All(scores.Results, score => Assert.InRange(-score.TotalLogLikelihood / 1024, 0, 2));
    }

    static ClassifyRequest Request(string model) => new() { Model = model, TopK = 1, Images = { Pictures.Select(Read) } };

    static ImageInput Read(string path) => new() { Encoded = ByteString.CopyFrom(File.ReadAllBytes(path)) };
}
