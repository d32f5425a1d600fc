using System.Text.Json;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class GoldenParityTests
{
    public static TheoryData<string> Models => [.. GoldenModel.Names];

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_GoldenCases_EqualsHuggingFace(string name)
    {
        using GoldenModel model = GoldenModel.Open(name);
        var comparison = new Comparison();
        foreach (JsonElement given in model.OfKind("forward"))
        {
            string where = $"{name} {given.GetProperty("name").GetString()}";
            using ImageGpt? other = where.Contains("multi_label", StringComparison.Ordinal)
                ? GoldenModel.Load(GoldenSet.PathOf("models", name), config => config with { ProblemType = "multi_label_classification" })
                : null;
            CheckForward(model, other ?? model.Network, given, where, comparison);
        }

        comparison.Print(name);
        Assert.True(comparison.Count > 0, "no case");
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_WithCache_EqualsHuggingFaceAndTheUncachedPass(string name)
    {
        using GoldenModel model = GoldenModel.Open(name);
        var comparison = new Comparison();
        foreach (JsonElement given in model.OfKind("decode"))
        {
            CheckDecode(model, given, comparison);
        }

        comparison.Print(name);
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Forward_Greedily_MakesHuggingFacesTokens(string name)
    {
        using GoldenModel model = GoldenModel.Open(name);
        using var inference = no_grad();
        int made = 0;
        foreach (JsonElement given in model.OfKind("generate_greedy"))
        {
            using var scope = NewDisposeScope();
            Tensor tokens = model.Input(given, "input_ids")!;
            string expectedName = given.GetProperty("outputs").GetProperty("sequences").GetString()!;
            long length = model.Values.Shape(expectedName)[1];
            using var cache = new KvCache();
            Tensor next = tokens;
            while (tokens.shape[1] < length)
            {
                ImageGptOutput output = model.Network.Forward(new ImageGptInput { Tokens = next, Cache = cache });
                next = output.Logits!.select(1, -1).argmax(-1).unsqueeze(1);
                tokens = cat([tokens, next], 1);
                made += (int)next.numel();
            }

            Assert.Equal(model.Values.Integers(expectedName), tokens.contiguous().data<long>().ToArray());
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{name}: {made} tokens, 0 differ");
    }

    [Fact]
    public void Forward_AcceptedMalformedControls_ReproduceTheControl()
    {
        using JsonDocument control = GoldenSet.Json("malformed", "control.json");
        using JsonDocument manifest = GoldenSet.Json("malformed", "manifest.json");
        float[] expected = [.. control.RootElement.GetProperty("logits").EnumerateArray().SelectMany(b => b.EnumerateArray()).SelectMany(t => t.EnumerateArray()).Select(value => value.GetSingle())];
        long[] ids = [.. control.RootElement.GetProperty("input_ids")[0].EnumerateArray().Select(id => id.GetInt64())];
        var comparison = new Comparison();
        foreach (JsonElement given in manifest.RootElement.GetProperty("models").EnumerateArray().Where(given => given.GetProperty("expect").GetString() == "accept"))
        {
            string name = given.GetProperty("case").GetString()!;
            if (Directory.Exists(GoldenSet.PathOf("malformed", "models", name)))
            {
                using var scope = NewDisposeScope();
                using var inference = no_grad();
                using ImageGpt network = GoldenModel.Load(GoldenSet.PathOf("malformed", "models", name));
                comparison.Check("logits", name, expected, Comparison.ValuesOf(network.Forward(new ImageGptInput { Tokens = tensor(ids, [1, ids.Length]) }).Logits!));
            }
        }

        comparison.Print("controls");
        Assert.True(comparison.Count > 0, "no control");
    }

    [Fact]
    public void Forward_OutOfRange_NamesRuleAndValue()
    {
        using GoldenModel model = GoldenModel.Open(GoldenModel.Names.First());
        int vocabulary = model.Network.Config.VocabSize;
        int most = model.Network.Config.PositionCount;
        using Tensor wrong = tensor(new long[] { vocabulary }, [1, 1]);
        using Tensor tooLong = zeros(1, most + 1, dtype: ScalarType.Int64);
        using Tensor nothing = zeros(1, 0, dtype: ScalarType.Int64);
        Assert.Contains($"given {vocabulary}", Assert.Throws<ArgumentException>(() => model.Network.Forward(new ImageGptInput { Tokens = wrong })).Message, StringComparison.Ordinal);
        Assert.Contains($"given {most + 1}", Assert.Throws<ArgumentException>(() => model.Network.Forward(new ImageGptInput { Tokens = tooLong })).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => model.Network.Forward(new ImageGptInput { Tokens = nothing }));
        Assert.Throws<ArgumentException>(() => model.Network.Forward(new ImageGptInput()));
    }

    [Fact]
    public void Forward_Embeddings_EqualsTheirTokens()
    {
        using GoldenModel model = GoldenModel.Open(GoldenModel.Names.First());
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        Tensor tokens = tensor(new long[] { 3, 1, 4, 1, 5, 9 }, [2, 3]);
        Tensor embeddings = model.Network.Weights["wte.weight"].index_select(0, tokens.reshape(-1)).view(2, 3, -1);
        Tensor fromTokens = model.Network.Forward(new ImageGptInput { Tokens = tokens }).LastHiddenState;
        Tensor fromEmbeddings = model.Network.Forward(new ImageGptInput { Embeddings = embeddings }).LastHiddenState;
        Assert.Equal(Comparison.ValuesOf(fromTokens), Comparison.ValuesOf(fromEmbeddings));
    }

    static void CheckForward(GoldenModel model, ImageGpt network, JsonElement given, string where, Comparison comparison)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        Tensor tokens = model.Input(given, "input_ids")!;
        Tensor? mask = model.Input(given, "attention_mask");
        ImageGptOutput output = network.Forward(new ImageGptInput
        {
            Tokens = tokens,
            AttentionMask = mask,
            Positions = model.Input(given, "position_ids"),
            Labels = model.Input(given, "labels"),
            WantsHiddenStates = true,
            WantsAttentions = true,
        });
        long[]? kept = mask?.reshape(-1).data<long>().ToArray();
        bool isClassifier = network.Architecture == ImageGptArchitecture.ImageClassification;
        Func<int, bool>? valid = kept is null ? null : row => kept[row % kept.Length] != 0;
        int width = network.Config.EmbeddingSize;
        Tensor? logits = output.Logits;
        if (given.GetProperty("outputs").TryGetProperty("logits_positions", out JsonElement positions))
        {
            logits = logits!.index_select(1, tensor(model.Values.Integers(positions.GetString()!)));
        }

        Check("logits", logits, isClassifier ? null : valid, (int)(logits?.shape[^1] ?? 1));
        Tensor hidden = stack(output.HiddenStates);
        Check("hidden_states", hidden, valid, width);
        Check("features", hidden.mean([2]), null, width);
        Check("last_hidden_state", output.LastHiddenState, valid, width);
        Check("attentions", stack(output.Attentions), null, 1);
        Check("loss", output.Loss, null, 1);

        void Check(string what, Tensor? actual, Func<int, bool>? isValid, int rowWidth)
        {
            if (model.Expected(given, what) is { } expected)
            {
                comparison.Check(what, where, expected, Comparison.ValuesOf(actual!), isValid, rowWidth);
            }
        }
    }

    static void CheckDecode(GoldenModel model, JsonElement given, Comparison comparison)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        string where = $"{model.Name} {given.GetProperty("name").GetString()}";
        Tensor tokens = model.Input(given, "input_ids")!;
        Tensor? mask = model.Input(given, "attention_mask");
        Tensor? positions = model.Input(given, "position_ids");
        using var cache = new KvCache();
        var parts = new List<Tensor>();
        long at = 0;
        foreach (long count in given.GetProperty("chunks").EnumerateArray().Select(chunk => chunk.GetInt64()).Prepend(given.GetProperty("prefill").GetInt64()))
        {
            ImageGptOutput output = model.Network.Forward(new ImageGptInput
            {
                Tokens = tokens.narrow(1, at, count),
                AttentionMask = mask?.narrow(1, 0, at + count),
                Positions = positions?.narrow(1, at, count),
                Cache = cache,
            });
            parts.Add(output.Logits ?? output.LastHiddenState);
            at += count;
        }

        ImageGptOutput whole = model.Network.Forward(new ImageGptInput { Tokens = tokens.narrow(1, 0, at), AttentionMask = mask, Positions = positions });
        long from = given.GetProperty("stored_from_position").GetInt64();
        Tensor cached = cat([.. parts], 1).narrow(1, from, at - from);
        Tensor uncached = (whole.Logits ?? whole.LastHiddenState).narrow(1, from, at - from);
        long[]? kept = mask?.narrow(1, from, at - from).reshape(-1).data<long>().ToArray();
        Func<int, bool>? valid = kept is null ? null : row => kept[row] != 0;
        string name = given.GetProperty("outputs").TryGetProperty("logits", out _) ? "logits" : "last_hidden_state";
        int width = (int)cached.shape[^1];
        comparison.Check(name, where, model.Expected(given, name)!, Comparison.ValuesOf(cached), valid, width);
        comparison.Check("cached = uncached", where, Comparison.ValuesOf(uncached), Comparison.ValuesOf(cached), valid, width);
    }
}
