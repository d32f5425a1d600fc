using System.Text.Json;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

/// <summary>From a checkpoint folder to logits, by the product's own reader.</summary>
public sealed class CheckpointNetworkTests
{
    [Fact]
    public void Forward_WeightsByCheckpoint_EqualsThoseByTheTestsReader()
    {
        using IDisposable noGradient = no_grad();
        foreach (string folder in Directory.EnumerateDirectories(GoldenSet.PathOf("cases")))
        {
            string model = Path.GetFileName(folder);
            using var scope = NewDisposeScope();
            using ImageGpt expected = GoldenNetwork.Load(model);
            using ImageGpt actual = Load(GoldenSet.PathOf("models", model));
            Tensor tokens = arange(0, Math.Min(9, actual.Config.PositionCount), dtype: ScalarType.Int64).remainder(actual.Config.VocabSize).unsqueeze(0);
            Assert.Equal(expected.Architecture, actual.Architecture);
            Assert.Equal(expected.Config.Labels.Count > 0 ? expected.Config.Labels : actual.Config.Labels, actual.Config.Labels);
            Assert.Equal(Values(expected.Forward(new ImageGptInput { TokenIds = tokens })), Values(actual.Forward(new ImageGptInput { TokenIds = tokens })));
        }
    }

    [Fact]
    public void Forward_AcceptedMalformedControls_ReproduceTheControl()
    {
        using IDisposable noGradient = no_grad();
        using JsonDocument control = GoldenSet.Json("malformed", "control.json");
        using JsonDocument manifest = GoldenSet.Json("malformed", "manifest.json");
        float[] expected = [.. control.RootElement.GetProperty("logits").EnumerateArray().SelectMany(b => b.EnumerateArray()).SelectMany(t => t.EnumerateArray()).Select(value => value.GetSingle())];
        long[] ids = [.. control.RootElement.GetProperty("input_ids")[0].EnumerateArray().Select(id => id.GetInt64())];
        double greatest = expected.Max(Math.Abs);
        double worst = 0;
        int compared = 0;
        foreach (JsonElement given in manifest.RootElement.GetProperty("models").EnumerateArray().Where(given => given.GetProperty("expect").GetString() == "accept"))
        {
            string folder = GoldenSet.PathOf("malformed", "models", given.GetProperty("case").GetString()!);
            if (Directory.Exists(folder))
            {
                using var scope = NewDisposeScope();
                using ImageGpt network = Load(folder);
                float[] actual = Values(network.Forward(new ImageGptInput { TokenIds = tensor(ids, [1, ids.Length]) }));
                worst = Math.Max(worst, expected.Zip(actual, (left, right) => Math.Abs(left - (double)right)).Max() / greatest);
                compared++;
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{compared} controls, maximum difference {worst:E2} of the greatest magnitude");
        Assert.True(compared > 0, "no control");
        Assert.True(worst <= 1e-4, $"differs by {worst:E2}");
    }

    static ImageGpt Load(string folder)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        return new ImageGpt(checkpoint.Config, checkpoint.Architecture, name => checkpoint.Load(name, ScalarType.Float32));
    }

    static float[] Values(ImageGptOutput output) => (output.Logits ?? output.LastHiddenState).contiguous().data<float>().ToArray();
}
