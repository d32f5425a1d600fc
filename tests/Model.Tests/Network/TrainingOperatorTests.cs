using System.Runtime.Intrinsics;
using IgptCluster.Model.Training;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace IgptCluster.Model.Tests.Network;

/// <summary>Operators with a backward pass of their own, against libtorch's in float32.</summary>
public sealed class TrainingOperatorTests
{
    // Of bfloat16, whose digits end at 2^-8 of a number: results and gradients are rounded a few times.
    const double Tolerance = 0.01;

    public static TheoryData<int, int, int, int> Shapes => new() { { 1, 1, 1, 2 }, { 2, 3, 7, 4 }, { 1, 2, 128, 16 }, { 2, 1, 129, 8 }, { 1, 4, 300, 32 } };

    [Theory]
    [MemberData(nameof(Shapes))]
    public void CausalAttention_AnyLength_GivesResultAndGradientsOfThePlainOperator(int batch, int heads, int length, int size)
    {
        using DisposeScope scope = NewDisposeScope();
        var random = new Generator((ulong)length);
        Tensor[] inputs = [.. Enumerable.Range(0, 3).Select(_ => Numbers(random, batch, heads, length, size))];
        Tensor incoming = randn([batch, heads, length, size], generator: random).to_type(ScalarType.BFloat16);
        Assert.Equal(Vector512.IsHardwareAccelerated, CausalAttention.Fits(inputs[0], inputs[1]));
        if (!Vector512.IsHardwareAccelerated)
            Assert.Skip("no vectors of 512 bits here: the plain operator is used");

        Tensor[] plain = [.. inputs.Select(Plain)];
        AssertSame([inputs[0], inputs[1], inputs[2]], CausalAttention.apply(inputs), plain, scaled_dot_product_attention(plain[0], plain[1], plain[2], null, 0, true), incoming);
    }

    [Fact]
    public void CausalAttention_ViewsOfOneTensor_AreReadAsTheyAre()
    {
        if (!Vector512.IsHardwareAccelerated)
            Assert.Skip("no vectors of 512 bits here: the plain operator is used");
        using DisposeScope scope = NewDisposeScope();
        var random = new Generator(5);
        Tensor whole = Numbers(random, 2, 50, 3, 4, 8); // [B, T, 3, H, D], as the network has it
        Tensor plain = Plain(whole);
        Tensor[] parts = whole.permute(2, 0, 3, 1, 4).unbind(0);
        Tensor[] plainParts = plain.permute(2, 0, 3, 1, 4).unbind(0);
        Tensor incoming = randn([2, 4, 50, 8], generator: random).to_type(ScalarType.BFloat16);
        AssertSame([whole], CausalAttention.apply(parts), [plain], scaled_dot_product_attention(plainParts[0], plainParts[1], plainParts[2], null, 0, true), incoming);
    }

    [Fact]
    public void QuickGelu_FromFarBelowToFarAboveZero_GivesResultAndGradientOfTheFormula()
    {
        if (!Vector512.IsHardwareAccelerated)
            Assert.Skip("no vectors of 512 bits here: the plain operators are used");
        using DisposeScope scope = NewDisposeScope();
        Tensor x = cat([linspace(-200, 200, 96), linspace(-6, 6, 416)]).to_type(ScalarType.BFloat16).requires_grad_(true);
        Assert.True(QuickGelu.Fits(x));
        Tensor plain = Plain(x);
        AssertSame([x], QuickGelu.apply(x), [plain], plain * (plain * 1.702).sigmoid(), linspace(1, 2, 512).to_type(ScalarType.BFloat16));
    }

    [Fact]
    public void Fits_WhereNothingIsTrained_IsFalse()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor served = randn([1, 2, 64, 16]).to_type(ScalarType.BFloat16);
        Assert.False(CausalAttention.Fits(served, served));
        Assert.False(QuickGelu.Fits(served));
        Tensor trained = served.clone().requires_grad_(true);
        using (no_grad())
            Assert.False(CausalAttention.Fits(trained, trained) || QuickGelu.Fits(trained));
        Tensor wide = Plain(trained);
        Assert.False(CausalAttention.Fits(wide, wide) || QuickGelu.Fits(wide));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(31)]
    [InlineData(32)]
    [InlineData(100)]
    public void SoftmaxRow_AnyCount_SumsToOneAndLeavesTheRestAtZero(int count)
    {
        var random = new Random(count);
        ushort[] row = [.. Enumerable.Range(0, 128).Select(_ => BFloat16.Narrow((float)((random.NextDouble() * 400) - 200)))];
        double[] powers = [.. row[..count].Select(number => Math.Exp(BFloat16.Widen(number) * 0.25))];
        SoftmaxRow.Forward(row, count, 0.25f, new float[count]);
        Assert.All(row[..count].Zip(powers), pair => Assert.Equal(pair.Second / powers.Sum(), BFloat16.Widen(pair.First), 0.004));
        Assert.All(row[count..], number => Assert.Equal(0, number));
    }

    static Tensor Numbers(Generator random, params long[] shape) => randn(shape, generator: random).to_type(ScalarType.BFloat16).requires_grad_(true);

    static Tensor Plain(Tensor tensor) => tensor.detach().to_type(ScalarType.Float32).requires_grad_(true);

    static void AssertSame(Tensor[] inputs, Tensor result, Tensor[] plainInputs, Tensor plainResult, Tensor incoming)
    {
        AssertClose(plainResult, result);
        (result * incoming).sum().backward();
        (plainResult * incoming.to_type(ScalarType.Float32)).sum().backward();
        foreach ((Tensor plain, Tensor input) in plainInputs.Zip(inputs))
            AssertClose(plain.grad!, input.grad!);
    }

    static void AssertClose(Tensor expected, Tensor given)
    {
        double error = (given.to_type(ScalarType.Float32) - expected).norm().item<float>();
        double size = Math.Max(expected.norm().item<float>(), 1e-3);
        TestContext.Current.TestOutputHelper!.WriteLine($"relative error {error / size:0.0000}");
        Assert.InRange(error / size, 0, Tolerance);
    }
}
