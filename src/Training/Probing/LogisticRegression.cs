using MathNet.Numerics.LinearAlgebra;
using MathNet.Numerics.Optimization;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace IgptCluster.Training.Probing;

/// <summary>
/// Multinomial logistic regression: mean cross-entropy and an L2 penalty on weights, of features brought to mean 0 and deviation 1, minimised by
/// Math.NET's L-BFGS. The same data give the same classifier.
/// </summary>
internal static class LogisticRegression
{
    const int MaxIterations = 300;
    const int Memory = 10;
    const double GradientTolerance = 1e-4;
    const double Tolerance = 1e-8;

    // Kept alive for operators: see ImageGpt.
    static readonly Scalar One = 1;
    static readonly Scalar SmallestDeviation = 1e-6;

    /// <summary>Fits a classifier.</summary>
    /// <param name="features">float32 [images, width].</param>
    /// <param name="labels">Class of each image.</param>
    /// <param name="classes">Number of classes.</param>
    /// <param name="penalty">Strength of the L2 penalty, at least 0.</param>
    /// <returns>A classifier of features as they are.</returns>
    internal static LinearClassifier Fit(Tensor features, int[] labels, int classes, double penalty)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        Tensor wide = features.to_type(ScalarType.Float64);
        Tensor mean = wide.mean([0]);
        Tensor deviation = wide.std(0, unbiased: false).clamp_min(SmallestDeviation);
        Tensor x = wide.add(mean.neg(), One).div(deviation); // [N, W]
        Tensor target = one_hot(tensor(Array.ConvertAll(labels, label => (long)label)), classes).to_type(ScalarType.Float64); // [N, C]
        int width = (int)features.shape[1];
        double[] best = Minimise(at => Evaluate(at, x, target, width, classes, penalty), (width + 1) * classes);

        // Back to features as they are: w/σ, and what the means add.
        Tensor weight = tensor(best, [width + 1, classes]).narrow(0, 0, width).t().div(deviation); // [C, W]
        Tensor bias = tensor(best, [width + 1, classes]).select(0, width).add(weight.matmul(mean).neg(), One); // [C]
        return new LinearClassifier(
            weight.to_type(ScalarType.Float32).contiguous().data<float>().ToArray(), bias.to_type(ScalarType.Float32).data<float>().ToArray(), width);
    }

    // Where the search gives up before its tolerance (no step lowers the loss any more, or it took its iterations), the best point it saw is the answer.
    static double[] Minimise(Func<Vector<double>, (double Value, Vector<double> Gradient)> loss, int count)
    {
        (double Value, double[] At) best = (double.PositiveInfinity, new double[count]);
        IObjectiveFunction objective = ObjectiveFunction.Gradient(at =>
        {
            (double value, Vector<double> gradient) = loss(at);
            if (value < best.Value)
                best = (value, at.ToArray());
            return (value, gradient);
        });
        try
        {
            new LimitedMemoryBfgsMinimizer(GradientTolerance, Tolerance, Tolerance, Memory, MaxIterations).FindMinimum(objective, Vector<double>.Build.Dense(count));
        }
        catch (OptimizationException) when (double.IsFinite(best.Value))
        {
        }

        return best.At;
    }

    // Weights [W, C] and, in the last row, the bias.
    static (double Value, Vector<double> Gradient) Evaluate(Vector<double> at, Tensor x, Tensor target, int width, int classes, double penalty)
    {
        using DisposeScope scope = NewDisposeScope();
        Tensor all = tensor(at.AsArray() ?? at.ToArray(), [width + 1, classes]);
        Tensor weight = all.narrow(0, 0, width);
        Tensor logProbabilities = log_softmax(addmm(all.narrow(0, width, 1), x, weight, 1, 1), 1); // [N, C]
        double count = x.shape[0];
        double value = (-logProbabilities.mul(target).sum().item<double>() / count) + (penalty / 2 * weight.mul(weight).sum().item<double>());
        using Scalar share = 1 / count;
        using Scalar strength = penalty;
        Tensor error = logProbabilities.exp().add(target.neg(), One).mul(share); // [N, C]
        Tensor gradient = cat([x.t().matmul(error).add(weight.mul(strength), One), error.sum(0, keepdim: true)], 0);
        return (value, Vector<double>.Build.DenseOfArray(gradient.contiguous().data<double>().ToArray()));
    }
}
