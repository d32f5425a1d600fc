using Google.Protobuf;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Evaluation;
using IgptCluster.Training.Probing;
using TorchSharp;
using static TorchSharp.torch;
using PutHeadRequest = IgptCluster.Protocol.V1.PutHeadRequest;

namespace IgptCluster.Training.Tests;

public sealed class ProbeTests
{
    [Fact]
    public void Fit_CloudsApart_TellsThemAllAndRepeats()
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor features, int[] labels) = Clouds(seed: 1);
        (Tensor test, int[] testLabels) = Clouds(seed: 2);
        LinearClassifier classifier = LogisticRegression.Fit(features, labels, 3, 1e-3);
        Assert.Equal(1, classifier.Accuracy(test, testLabels));
        Assert.Equal(classifier.Weight, LogisticRegression.Fit(features, labels, 3, 1e-3).Weight);
    }

    [Fact]
    public void Fit_Penalised_IsAtTheMinimumOfItsLoss()
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor features, int[] labels) = Clouds(seed: 3, spread: 6);
        LinearClassifier fitted = LogisticRegression.Fit(features, labels, 3, 0.1);
        double least = Loss(fitted);
        foreach (int i in Enumerable.Range(0, fitted.Weight.Length))
        {
            foreach (float distance in new[] { 0.02f, -0.02f })
            {
                float[] moved = [.. fitted.Weight];
                moved[i] += distance;
                Assert.True(Loss(fitted with { Weight = moved }) > least - 1e-7, $"weight {i} moved by {distance}");
            }
        }

        // The penalty is on weights of features with deviation 1.
        double Loss(LinearClassifier classifier)
        {
            using DisposeScope inner = NewDisposeScope();
            Tensor weight = tensor(classifier.Weight, [3, 2]);
            Tensor logits = addmm(tensor(classifier.Bias), features, weight.t(), 1, 1);
            Tensor scaled = weight * features.std(0, unbiased: false);
            return nn.functional.cross_entropy(logits, tensor(Array.ConvertAll(labels, label => (long)label))).item<float>() + (0.05 * (scaled * scaled).sum().item<float>());
        }
    }

    [Fact]
    public void Write_Head_IsThePutHeadRequestOfTheProtocol()
    {
        using var folder = new TemporaryFolder();
        var head = new HeadFile("stripes", 1, ["rows", "columns"], [1.5f, -2e-7f, 3.25f, 1e6f], [0.125f, -7]);
        head.Write(folder["head.json"]);
        PutHeadRequest request = JsonParser.Default.Parse<PutHeadRequest>(File.ReadAllText(folder["head.json"]));
        Assert.Equal("stripes", request.Head);
        Assert.Equal(1u, request.Layer);
        Assert.Equal(head.Labels, request.Labels);
        Assert.Equal(head.Weight, request.Weight);
        Assert.Equal(head.Bias, request.Bias);
        Assert.Equal(head.Weight, HeadFile.Read(folder["head.json"], layers: 2, width: 2).Weight);
    }

    [Theory]
    [InlineData("{", "head file")]
    [InlineData("{\"head\":\"a\"}", "head, layer, labels and weight")]
    [InlineData("{\"head\":\"a\",\"layer\":3,\"labels\":[\"x\"],\"weight\":[1,2]}", "layer 0 to 2")]
    [InlineData("{\"head\":\"a\",\"layer\":1,\"labels\":[\"x\"],\"weight\":[1,2,3]}", "width 2")]
    public void Read_NoHead_NamesFileAndRule(string json, string rule)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["head.json"], json);
        DataException refused = Assert.Throws<DataException>(() => HeadFile.Read(folder["head.json"], layers: 2, width: 2));
        Assert.Contains("head.json", refused.Message, StringComparison.Ordinal);
        Assert.Contains(rule, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void OfEveryLayer_AnyNetwork_IsWhatEmbedServes()
    {
        using DisposeScope scope = NewDisposeScope();
        TokenDataset data = Tiny.Stripes(3);
        using ImageGpt network = Tiny.Network();
        Tensor[] features = PooledFeatures.OfEveryLayer(network, data, 2, _ => { }, TestContext.Current.CancellationToken);
        using var runner = new TorchModelRunner(Tiny.Network(), new TorchRunnerOptions { Slots = 1 });
        int layers = Tiny.Config.LayerCount;
        int[] tokens = Array.ConvertAll(data[2].ToArray(), token => (int)token);
        var chunk = new Engine.Runner.SequenceChunk { Slot = 0, Start = 0, Tokens = tokens, PooledLayers = [.. Enumerable.Range(0, layers + 1)] };
        double[] sums = runner.Execute(new Engine.Runner.StepPlan([], [chunk]))[0].PooledSums.ToArray();
        float[] given = [.. features.SelectMany(feature => feature[2].data<float>().ToArray())];
        Assert.Equal(sums.Length, given.Length);
        Assert.All(given.Zip(sums), pair => Assert.Equal(pair.Second / tokens.Length, pair.First, 1e-5));
    }

    [Fact]
    public void Probe_StripesByTrainedLayers_FindsAHeadThatTellsThem()
    {
        using ImageGpt network = Tiny.Network();
        (ProbeReport report, HeadFile head) = new ProbeRun(Tiny.Stripes(200, seed: 1), Tiny.Stripes(100, seed: 2), Tiny.Processor, seed: 1)
            .Probe(network, [0, 1, 2], random: null, "stripes", TestContext.Current.CancellationToken);
        Assert.Equal([0, 1, 2], report.Layers.Select(layer => layer.Layer));
        Assert.Equal(report.BestLayer, head.Layer);
        Assert.Equal(report.Layers.Max(layer => layer.HeldOut), report.Layers[report.BestLayer].HeldOut);
        using DisposeScope scope = NewDisposeScope();
        ClassifierEvaluation evaluation = ClassifierEvaluation.OfHead(head, network, Tiny.Stripes(100, seed: 2), 8, _ => { }, TestContext.Current.CancellationToken);
        Assert.Equal(report.Layers[report.BestLayer].Test, evaluation.Accuracy, 1e-9);
    }

    // Three clouds of points in the plane.
    static (Tensor Features, int[] Labels) Clouds(int seed, double spread = 1)
    {
        var random = new Random(seed);
        int[] labels = [.. Enumerable.Range(0, 90).Select(i => i % 3)];
        float[] points = [.. labels.SelectMany(label => new[] { (float)((10 * label) + (spread * random.NextDouble())), (float)((label == 1 ? 100 : 0) + (spread * random.NextDouble())) })];
        return (tensor(points, [90, 2]), labels);
    }
}
