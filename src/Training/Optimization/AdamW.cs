using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Optimization;

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", algorithm 2) over all of a network's
/// parameters as one flat float32 vector, the master copy: a step is a dozen operators whatever the number of parameters, a 16-bit network
/// trains in full precision, and the whole state is three vectors to write down and read back. One thread.
/// </summary>
/// <remarks>
/// Not TorchSharp's own AdamW: it makes a Scalar per operator and parameter, which a collection may free under native code (see ImageGpt), and
/// its state is not restored to the bit.
/// </remarks>
internal sealed class AdamW : IDisposable
{
    const double Beta1 = 0.9;
    const double Beta2 = 0.95;
    const double Epsilon = 1e-8;

    readonly IReadOnlyList<(string Name, Tensor Value)> _parameters;
    readonly long _decayed; // the first so many values: matrices
    readonly long _slow; // the last so many values: embeddings and heads; norms and biases are between
    readonly double _weightDecay;
    readonly double _embeddingRate;

    /// <summary>Takes parameters, whose gradients it asks for; they stay the caller's.</summary>
    /// <param name="parameters">Weights by name, of one number type.</param>
    /// <param name="weightDecay">Decay of matrices, per unit of learning rate, at least 0; embeddings, norms and biases do not decay.</param>
    /// <param name="embeddingRate">Learning rate of embeddings and heads, as a share of the others'.</param>
    internal AdamW(IReadOnlyList<(string Name, Tensor Value)> parameters, double weightDecay, double embeddingRate)
    {
        (_weightDecay, _embeddingRate) = (weightDecay, embeddingRate);
        _parameters = [.. parameters.OrderBy(parameter => Decays(parameter.Name) ? 0 : IsSlow(parameter.Name) ? 2 : 1)];
        _decayed = _parameters.Where(parameter => Decays(parameter.Name)).Sum(parameter => parameter.Value.NumberOfElements);
        _slow = _parameters.Where(parameter => IsSlow(parameter.Name)).Sum(parameter => parameter.Value.NumberOfElements);
        using DisposeScope scope = NewDisposeScope();
        Weights = cat([.. _parameters.Select(parameter => parameter.Value.to_type(ScalarType.Float32).flatten())]).cpu().DetachFromDisposeScope();
        Mean = zeros_like(Weights).DetachFromDisposeScope();
        Square = zeros_like(Weights).DetachFromDisposeScope();
        foreach ((string _, Tensor value) in _parameters)
            value.requires_grad_(true);
    }

    /// <summary>The master copy, float32 [parameters].</summary>
    internal Tensor Weights { get; }

    /// <summary>Running mean of gradients, float32 [parameters].</summary>
    internal Tensor Mean { get; }

    /// <summary>Running mean of squared gradients, float32 [parameters].</summary>
    internal Tensor Square { get; }

    /// <summary>The gradient of a loss, as <see cref="Step"/> takes it. Any thread: weights and state are only read.</summary>
    /// <param name="loss">A scalar that depends on all parameters.</param>
    /// <returns>Float32 [parameters] in the caller's scope.</returns>
    internal Tensor Gradient(Tensor loss)
    {
        using DisposeScope scope = NewDisposeScope();
        IList<Tensor> gradients = autograd.grad([loss], [.. _parameters.Select(parameter => parameter.Value)]);
        return cat([.. gradients.Select(gradient => gradient.to_type(ScalarType.Float32).flatten())]).cpu().MoveToOuterDisposeScope();
    }

    /// <summary>Takes one step.</summary>
    /// <param name="step">Number of this step, from 1: the bias correction depends on it.</param>
    /// <param name="learningRate">Learning rate.</param>
    /// <param name="gradient">From <see cref="Gradient"/>; scaled down in place if it is clipped.</param>
    /// <param name="maxNorm">A gradient whose norm is larger is scaled down to it.</param>
    /// <returns>The norm of the gradient before clipping. If it is not finite, nothing was changed.</returns>
    internal double Step(long step, double learningRate, Tensor gradient, double maxNorm)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        double norm = gradient.norm().item<float>();
        if (!double.IsFinite(norm))
            return norm;
        using Scalar factor = norm > maxNorm ? maxNorm / norm : 1;
        gradient.mul_(factor);

        // Scalars are kept alive by using: see ImageGpt.
        using Scalar one = 1;
        using Scalar beta1 = Beta1;
        using Scalar beta2 = Beta2;
        using Scalar rest1 = 1 - Beta1;
        using Scalar rest2 = 1 - Beta2;
        using Scalar root = 1 / Math.Sqrt(1 - Math.Pow(Beta2, step));
        using Scalar epsilon = Epsilon;
        using Scalar rate = -learningRate / (1 - Math.Pow(Beta1, step));
        using Scalar decay = 1 - (learningRate * _weightDecay);
        Weights.narrow(0, 0, _decayed).mul_(decay);
        Mean.mul_(beta1).add_(gradient, rest1);
        Square.mul_(beta2).addcmul_(gradient, gradient, rest2);
        Tensor deviation = Square.sqrt().mul_(root).add_(epsilon, one);
        using Scalar slowRate = -learningRate * _embeddingRate / (1 - Math.Pow(Beta1, step));
        long fast = Weights.NumberOfElements - _slow;
        Weights.narrow(0, 0, fast).addcdiv_(Mean.narrow(0, 0, fast), deviation.narrow(0, 0, fast), rate);
        Weights.narrow(0, fast, _slow).addcdiv_(Mean.narrow(0, fast, _slow), deviation.narrow(0, fast, _slow), slowRate);
        Publish();
        return norm;
    }

    /// <summary>Copies the master weights into the network.</summary>
    internal void Publish()
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        long at = 0;
        foreach ((string _, Tensor value) in _parameters)
        {
            value.copy_(Weights.narrow(0, at, value.NumberOfElements).reshape(value.shape));
            at += value.NumberOfElements;
        }
    }

    /// <summary>One master weight.</summary>
    /// <param name="name">Its name.</param>
    /// <returns>A float32 copy in the caller's scope.</returns>
    internal Tensor this[string name]
    {
        get
        {
            long at = 0;
            foreach ((string other, Tensor value) in _parameters)
            {
                if (other == name)
                    return Weights.narrow(0, at, value.NumberOfElements).reshape(value.shape).clone();
                at += value.NumberOfElements;
            }

            throw new ArgumentException($"the network has no weight '{name}'", nameof(name));
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Weights.Dispose();
        Mean.Dispose();
        Square.Dispose();
    }

    // Their rows are small against a step of the others' rate, which would wash away what they begin with.
    static bool IsSlow(string name) => !name.StartsWith("h.", StringComparison.Ordinal) && !name.StartsWith("ln_", StringComparison.Ordinal);

    static bool Decays(string name) => name.StartsWith("h.", StringComparison.Ordinal) && name.EndsWith(".weight", StringComparison.Ordinal) && !name.Contains("ln_", StringComparison.Ordinal);
}
