using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Tests;

public sealed class StartEmbeddingsTests
{
    [Fact]
    public void Make_UntrainedNetwork_ExpectsTheColourOfThePixelBefore()
    {
        using DisposeScope scope = NewDisposeScope();
        using ImageGpt network = Tiny.Network();
        Tensor ids = arange(Tiny.Colours, dtype: ScalarType.Int64).unsqueeze(0);
        Tensor expected = network.Forward(new ImageGptInput { TokenIds = ids }).Logits!.argmax(-1);
        Assert.Equal(ids.data<long>().ToArray(), expected.data<long>().ToArray());
    }

    [Fact]
    public void Make_SameSeed_GivesTheSameWeights()
    {
        using ImageGpt network = Tiny.Network(seed: 7);
        using ImageGpt same = Tiny.Network(seed: 7);
        using ImageGpt other = Tiny.Network(seed: 8);
        foreach (((string name, Tensor value), (string _, Tensor again)) in network.Parameters.Zip(same.Parameters))
            Assert.True(value.equal(again).all().item<bool>(), name);
        Assert.False(network.Parameters[0].Value.equal(other.Parameters[0].Value).all().item<bool>());
    }
}
