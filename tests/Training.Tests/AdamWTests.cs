using IgptCluster.Training.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Tests;

public sealed class AdamWTests
{
    [Fact]
    public void Step_ThreeOfThem_FollowsTheFormula()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor matrix = tensor(new float[] { 1, -2 });
        Tensor norm = tensor(new float[] { 1.5f });
        Tensor embedding = tensor(new float[] { 0.5f });
        using var optimizer = new AdamW([("wte.weight", embedding), ("h.0.ln_1.weight", norm), ("h.0.attn.c_attn.weight", matrix)], weightDecay: 0.1, embeddingRate: 0.2);
        double[][] gradients = [[0.3, -0.1, 0.2, 0.4], [0.1, 0.5, -0.7, 0.1], [-0.2, 0.4, 0.3, -0.3]];
        double[] expected = [1, -2, 1.5, 0.5];
        double[] mean = new double[4], square = new double[4];
        for (int step = 1; step <= gradients.Length; step++)
        {
            double[] gradient = gradients[step - 1];
            Tensor loss = Loss(matrix, gradient[0], gradient[1]) + Loss(norm, gradient[2]) + Loss(embedding, gradient[3]);
            optimizer.Step(step, learningRate: 0.01, optimizer.Gradient(loss), maxNorm: 100);
            for (int i = 0; i < 4; i++)
            {
                mean[i] = (0.9 * mean[i]) + (0.1 * gradient[i]);
                square[i] = (0.95 * square[i]) + (0.05 * gradient[i] * gradient[i]);
                double rate = i == 3 ? 0.002 : 0.01;
                double decay = i < 2 ? 0.01 * 0.1 * expected[i] : 0;
                expected[i] -= decay + (rate * mean[i] / (1 - Math.Pow(0.9, step)) / (Math.Sqrt(square[i] / (1 - Math.Pow(0.95, step))) + 1e-8));
            }
        }

        double[] given = [.. new[] { matrix, norm, embedding }.SelectMany(value => value.data<float>().ToArray()).Select(value => (double)value)];
        Assert.All(given.Zip(expected), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
    }

    [Fact]
    public void Step_LargeGradient_IsScaledDownToTheNorm()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor value = tensor(new float[] { 0, 0 });
        using var optimizer = new AdamW([("h.0.mlp.c_fc.weight", value)], 0, 1);
        Assert.Equal(50, optimizer.Step(1, 0.01, optimizer.Gradient(Loss(value, 30, 40)), maxNorm: 1), 1e-4);
        Assert.Equal([0.06f, 0.08f], optimizer.Mean.data<float>().ToArray().Select(mean => MathF.Round(mean, 4)));
    }

    [Fact]
    public void Step_GradientNotFinite_ChangesNothing()
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor value = tensor(new float[] { 1, 2 });
        using var optimizer = new AdamW([("h.0.mlp.c_fc.weight", value)], 0.1, 1);
        Assert.False(double.IsFinite(optimizer.Step(1, 0.01, optimizer.Gradient(Loss(value, double.NaN, 1)), 1)));
        Assert.Equal([1f, 2f], value.data<float>().ToArray());
        Assert.Equal([1f, 2f], optimizer.Weights.data<float>().ToArray());
    }

    [Theory]
    [InlineData(1, 0.001)]
    [InlineData(10, 0.01)]
    [InlineData(60, 0.005)]
    [InlineData(110, 0)]
    public void LearningRate_WarmUpAndCosine_HasItsCorners(long step, double expected) =>
        Assert.Equal(expected, new LearningRate(0.01, 10, 110).At(step), 1e-9);

    // A loss with this gradient.
    static Tensor Loss(Tensor value, params double[] gradient) => value.mul(tensor(Array.ConvertAll(gradient, number => (float)number))).sum();
}
