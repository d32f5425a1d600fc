using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class DecodeParityTests
{
    public static TheoryData<string, string> Decodes => GoldenNetwork.Cases("decode");

    public static TheoryData<string, string> Greedies => GoldenNetwork.Cases("generate_greedy");

    [Theory]
    [MemberData(nameof(Decodes))]
    public void Forward_WithCache_EqualsHuggingFaceAndUncached(string model, string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        var golden = new GoldenCase(model, name);
        using ImageGpt network = GoldenNetwork.Load(model);
        using var cache = new KvCache();
        var whole = new ImageGptInput
        {
            TokenIds = golden.Ids("input_ids"),
            AttentionMask = golden.Ids("attention_mask"),
            PositionIds = golden.Ids("position_ids"),
        };
        var parts = new List<Tensor>();
        int[] chunks = [golden.Json.GetProperty("prefill").GetInt32(), .. golden.Json.GetProperty("chunks").EnumerateArray().Select(chunk => chunk.GetInt32())];
        int start = 0;
        foreach (int length in chunks)
        {
            ImageGptOutput part = network.Forward(new ImageGptInput
            {
                TokenIds = whole.TokenIds!.narrow(1, start, length),
                AttentionMask = whole.AttentionMask?.narrow(1, 0, start + length),
                PositionIds = whole.PositionIds?.narrow(1, start, length),
                Cache = cache,
            });
            parts.Add(part.Logits ?? part.LastHiddenState);
            start += length;
        }

        int stored = golden.Json.GetProperty("stored_from_position").GetInt32();
        string output = golden.HasOutput("logits") ? "logits" : "last_hidden_state";
        Tensor? valid = whole.AttentionMask?.narrow(1, stored, start - stored).to(ScalarType.Bool).unsqueeze(-1);
        ImageGptOutput uncached = network.Forward(whole);
        golden.AssertClose(output, cat(parts, 1).narrow(1, stored, start - stored), valid);
        golden.AssertClose(output, (uncached.Logits ?? uncached.LastHiddenState).narrow(1, stored, start - stored), valid);
        Assert.Equal(start, cache.Length);
        Assert.Equal(golden.Json.GetProperty("past_key_values_shape").GetProperty("key").EnumerateArray().Select(size => size.GetInt64()), cache[0].Key.shape);
    }

    [Theory]
    [MemberData(nameof(Greedies))]
    public void Forward_Greedy_GivesHuggingFacesTokens(string model, string name)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        var golden = new GoldenCase(model, name);
        using ImageGpt network = GoldenNetwork.Load(model);
        using var cache = new KvCache();
        Tensor sequences = golden.Ids("input_ids")!;
        Tensor next = sequences;
        while (sequences.shape[1] < golden.Json.GetProperty("max_length").GetInt32())
        {
            using DisposeScope step = NewDisposeScope();
            Tensor logits = network.Forward(new ImageGptInput { TokenIds = next, Cache = cache }).Logits!;
            next = logits.select(1, -1).argmax(-1, true).MoveToOuterDisposeScope();
            sequences = cat([sequences, next], 1).MoveToOuterDisposeScope();
        }

        Assert.Equal(golden.Shape("sequences"), sequences.shape);
        Assert.Equal(golden.Integers("outputs", "sequences"), sequences.flatten().data<long>().ToArray());
    }
}
