using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class NetworkOptionTests
{
    [Theory]
    [InlineData("quick_gelu")]
    [InlineData("gelu")]
    [InlineData("gelu_new")]
    [InlineData("gelu_pytorch_tanh")]
    [InlineData("gelu_fast")]
    [InlineData("relu")]
    [InlineData("silu")]
    [InlineData("swish")]
    [InlineData("tanh")]
    public void Activation_ByHuggingFacesName_EqualsItsFormula(string name)
    {
        using DisposeScope scope = NewDisposeScope();
        float[] points = [-6, -1.7f, -0.5f, 0, 0.3f, 1, 2.2f, 6];
        float[] actual = ImageGpt.Activation(name)(tensor(points)).data<float>().ToArray();
        float[] expected = [.. points.Select(x => (float)Formula(name, x))];
        RunnerFeeding.AssertClose(expected, actual, name, 1e-6f);
    }

    [Fact]
    public void Forward_Embeddings_EqualsTheirIds()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled("base-513");
        Tensor ids = tensor(new long[] { 512, 3, 77, 4, 500, 0 }).reshape(2, 3);
        Tensor table = network.Parameters.Single(parameter => parameter.Name == "wte.weight").Value;
        Tensor expected = network.Forward(new ImageGptInput { TokenIds = ids }).Logits!;
        Tensor actual = network.Forward(new ImageGptInput { Embeddings = table[ids] }).Logits!;
        Assert.True(expected.equal(actual).all().item<bool>());
    }

    [Fact]
    public void Forward_Bidirectional_LetsEveryTokenSeeAllOthers()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled("base-513");
        ImageGptInput ids = new() { TokenIds = tensor(new long[] { 7, 3, 77, 4 }).unsqueeze(0), Bidirectional = true };
        ImageGptInput otherEnd = ids with { TokenIds = tensor(new long[] { 7, 3, 77, 5 }).unsqueeze(0) };
        Tensor first = FirstLogits(ids);
        Assert.False(first.allclose(FirstLogits(otherEnd)));
        Assert.True(FirstLogits(ids with { Bidirectional = false }).equal(FirstLogits(otherEnd with { Bidirectional = false })).all().item<bool>());

        // The way step by step, which attentions are asked of, gives the same and sums to one over all tokens.
        ImageGptOutput inFull = network.Forward(ids with { WantsAttentions = true });
        RunnerFeeding.AssertClose(first.data<float>().ToArray(), inFull.Logits![0, 0].data<float>().ToArray(), "bidirectional logits", 1e-5f);
        Assert.All(inFull.Attentions, attention => Assert.True(attention.min().item<float>() > 0 && attention.sum(-1).allclose(ones(1))));

        Tensor FirstLogits(ImageGptInput input) => network.Forward(input).Logits![0, 0];
    }

    [Fact]
    public void Forward_RegressionHead_GivesMeanSquaredError()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled(
            "classifier-65",
            change: config => config with { Labels = ["age"] },
            replace: (name, value) => name == "score.weight" ? value.narrow(0, 0, 1) : value);
        ImageGptOutput output = network.Forward(new ImageGptInput { TokenIds = zeros(2, 3, dtype: ScalarType.Int64), Labels = tensor(new[] { 1f, -2f }) });
        float[] logits = output.Logits!.data<float>().ToArray();
        double expected = (Math.Pow(logits[0] - 1, 2) + Math.Pow(logits[1] + 2, 2)) / 2;
        Assert.Equal([2L, 1L], output.Logits!.shape);
        Assert.Equal(expected, output.Loss!.item<float>(), expected * 1e-5);
    }

    [Fact]
    public void Forward_SingleTokenWithLabels_LossIsNaN()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled("base-513");
        Tensor ids = zeros(1, 1, dtype: ScalarType.Int64);
        Assert.True(float.IsNaN(network.Forward(new ImageGptInput { TokenIds = ids, Labels = ids }).Loss!.item<float>()));
    }

    [Theory]
    [InlineData("base-513")]
    [InlineData("legacy-65")]
    [InlineData("classifier-65")]
    public void Forward_WithGradients_ReachesEveryWeightByTheTrueSlope(string model)
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled(model);
        Tensor ids = tensor(new long[] { 5, 3, 60, 4, 9, 0, 11, 2 }).reshape(1, 8);
        var input = new ImageGptInput { TokenIds = ids, Labels = network.Architecture == ImageGptArchitecture.ImageClassification ? full(1, 2, dtype: ScalarType.Int64) : ids };
        foreach (var (_, value) in network.Parameters)
        {
            value.requires_grad_(true);
        }

        using ImageGptOutput output = network.Forward(input);
        output.Loss!.backward();
        using IDisposable noGradient = no_grad();
        foreach (var (name, value) in network.Parameters)
        {
            Tensor gradient = value.grad ?? throw new InvalidOperationException($"{name} has no gradient");
            Assert.True(gradient.abs().max().item<float>() > 0, name);
        }

        // Along the gradient the loss changes by step · |gradient|²: central difference.
        double square = network.Parameters.Sum(parameter => (double)parameter.Value.grad!.square().sum().item<float>());
        double step = 2e-3 / Math.Sqrt(square);
        double slope = (LossAt(step) - LossAt(-step)) / (2 * step);
        Assert.Equal(square, slope, 0.03 * square);

        double LossAt(double distance)
        {
            network.Parameters.ToList().ForEach(parameter => parameter.Value.add_(parameter.Value.grad! * distance));
            using ImageGptOutput moved = network.Forward(input);
            network.Parameters.ToList().ForEach(parameter => parameter.Value.sub_(parameter.Value.grad! * distance));
            return moved.Loss!.item<float>();
        }
    }

    [Fact]
    public void Forward_Training_AppliesDropout()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        var input = new ImageGptInput { TokenIds = zeros(1, 8, dtype: ScalarType.Int64) };
        using ImageGpt network = GoldenNetwork.LoadBundled("base-513");
        using ImageGpt undropped = GoldenNetwork.LoadBundled("base-513", change: config => config with { EmbeddingDropout = 0, ResidualDropout = 0, AttentionDropout = 0 });
        Tensor quiet = network.Forward(input).Logits!;
        Tensor dropped = network.Forward(input with { Training = true }).Logits!;
        Assert.True((quiet - dropped).abs().max().item<float>() > 0.01);
        Assert.True((quiet - undropped.Forward(input with { Training = true }).Logits!).abs().max().item<float>() < 1e-5);
    }

    [Fact]
    public void Forward_Results_FollowTheCallersScope()
    {
        using ImageGpt network = GoldenNetwork.LoadBundled("tied-17");
        Tensor logits;
        using (DisposeScope scope = NewDisposeScope())
        {
            logits = network.Forward(new ImageGptInput { TokenIds = zeros(1, 8, dtype: ScalarType.Int64) }).Logits!;
            Assert.False(logits.IsInvalid);
        }

        Assert.True(logits.IsInvalid);
    }

    static double Formula(string name, double x) => name switch
    {
        "quick_gelu" => x / (1 + Math.Exp(-1.702 * x)),
        "gelu" => x * NormalDistribution(x),
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x)))),
        "relu" => Math.Max(x, 0),
        "silu" or "swish" => x / (1 + Math.Exp(-x)),
        _ => Math.Tanh(x),
    };

    // Φ by its series x + x³/3 + x⁵/15 + …, exact enough to 6.
    static double NormalDistribution(double x)
    {
        double term = x;
        double sum = x;
        for (int odd = 3; odd < 200; odd += 2)
        {
            term *= x * x / odd;
            sum += term;
        }

        return 0.5 + (sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }
}
