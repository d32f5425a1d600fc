using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class NetworkRuleTests
{
    const string Model = "tied-17"; // 17 ids, 16 positions, 16 wide

    [Theory]
    [InlineData(new long[] { 0, 17 }, "vocab_size", "17")]
    [InlineData(new long[] { -1, 0 }, "vocab_size", "-1")]
    [InlineData(new long[] { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 }, "n_positions = 16", "17")]
    public void Forward_BadTokens_NamesRuleAndValue(long[] tokens, string rule, string value) =>
        AssertRefused(new ImageGptInput { TokenIds = tensor(tokens).unsqueeze(0) }, rule, value);

    [Fact]
    public void Forward_OtherBrokenRules_NamesRuleAndValue()
    {
        using DisposeScope scope = NewDisposeScope();
        using var cache = new KvCache();
        Tensor ids = zeros(2, 3, dtype: ScalarType.Int64);
        AssertRefused(new ImageGptInput(), "token ids or embeddings", "neither");
        AssertRefused(new ImageGptInput { TokenIds = ids, Embeddings = zeros(2, 3, 16) }, "token ids or embeddings", "both");
        AssertRefused(new ImageGptInput { TokenIds = zeros(2, 0, dtype: ScalarType.Int64) }, "at least one", "[2, 0]");
        AssertRefused(new ImageGptInput { TokenIds = zeros(3, dtype: ScalarType.Int64) }, "[B, T]", "[3]");
        AssertRefused(new ImageGptInput { TokenIds = ids.to(ScalarType.Float32) }, "int64", "Float32");
        AssertRefused(new ImageGptInput { Embeddings = zeros(2, 3, 15) }, "[2, 3, 16]", "[2, 3, 15]");
        AssertRefused(new ImageGptInput { TokenIds = ids, AttentionMask = ones(2, 4) }, "[2, 3]", "[2, 4]");
        AssertRefused(new ImageGptInput { TokenIds = ids, PositionIds = ones(2, 1, dtype: ScalarType.Int64) }, "[2, 3]", "[2, 1]");
        AssertRefused(new ImageGptInput { TokenIds = ids, PositionIds = full(2, 3, 16, dtype: ScalarType.Int64) }, "n_positions", "16");
        AssertRefused(new ImageGptInput { TokenIds = ids, Labels = full(2, 3, 17, dtype: ScalarType.Int64) }, "label", "17");
        AssertRefused(new ImageGptInput { TokenIds = ids, Bidirectional = true, Cache = cache }, "without a cache", "both");
        AssertRefused(new ImageGptInput { TokenIds = ids, Labels = full(2, 3, -1, dtype: ScalarType.Int64) }, "label", "-1");
    }

    [Fact]
    public void Forward_StartTokenAsLabel_IsRefusedWithUntiedHead()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled("base-513");
        Tensor ids = full(1, 3, 512, dtype: ScalarType.Int64);
        ArgumentException error = Assert.Throws<ArgumentException>(() => network.Forward(new ImageGptInput { TokenIds = ids, Labels = ids }));
        Assert.Contains("0 to 511", error.Message, StringComparison.Ordinal);
        Assert.Contains("512", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Forward_CacheThatDoesNotFit_NamesRuleAndValue()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled(Model);
        using var cache = new KvCache();
        network.Forward(new ImageGptInput { TokenIds = zeros(2, 14, dtype: ScalarType.Int64), Cache = cache });
        var tooLong = new ImageGptInput { TokenIds = zeros(2, 3, dtype: ScalarType.Int64), Cache = cache };
        Assert.Contains("14 in the cache and 3 more", Assert.Throws<ArgumentException>(() => network.Forward(tooLong)).Message, StringComparison.Ordinal);
        var otherRows = new ImageGptInput { TokenIds = zeros(1, 1, dtype: ScalarType.Int64), Cache = cache };
        Assert.Contains("2 for 1", Assert.Throws<ArgumentException>(() => network.Forward(otherRows)).Message, StringComparison.Ordinal);
        Assert.Equal(14, cache.Length);
    }

    [Fact]
    public void Constructor_WrongShape_NamesWeightAndShapes()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => GoldenNetwork.LoadBundled(
            Model,
            replace: (name, value) => name == "h.1.mlp.c_fc.weight" ? value.t() : value));
        Assert.Contains("h.1.mlp.c_fc.weight must have the shape [16, 64]; given: [64, 16]", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Constructor_UnknownActivation_NamesIt()
    {
        ArgumentException error = Assert.Throws<ArgumentException>(() => GoldenNetwork.LoadBundled(Model, change: config => config with { ActivationFunction = "geglu" }));
        Assert.Contains("\"geglu\"", error.Message, StringComparison.Ordinal);
    }

    static void AssertRefused(ImageGptInput input, string rule, string value)
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = GoldenNetwork.LoadBundled(Model);
        ArgumentException error = Assert.Throws<ArgumentException>(() => network.Forward(input));
        Assert.Contains(rule, error.Message, StringComparison.Ordinal);
        Assert.Contains($"given: {value}", error.Message, StringComparison.Ordinal);
    }
}
