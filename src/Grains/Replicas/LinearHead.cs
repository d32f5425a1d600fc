using System.Numerics.Tensors;
using IgptCluster.Contracts;

namespace IgptCluster.Grains.Replicas;

/// <summary>A linear classifier on a pooled hidden state: logits = W·x + b. Immutable; any thread.</summary>
public sealed class LinearHead
{
    readonly float[] _weight;
    readonly float[] _bias;

    /// <summary>A head over its weights, which it keeps.</summary>
    /// <param name="description">Name, layer and labels.</param>
    /// <param name="weight">float32 [labels × n_embd], row by row.</param>
    /// <param name="bias">float32 [labels]; empty for none.</param>
    /// <exception cref="ArgumentException">The sizes do not agree.</exception>
    public LinearHead(HeadDescription description, float[] weight, float[] bias)
    {
        int labels = description.Labels.Length;
        if (labels == 0 || weight.Length % labels != 0 || (bias.Length != 0 && bias.Length != labels))
        {
            throw new ArgumentException(
                $"head '{description.Name}': {labels} labels need weights of labels × n_embd values and a bias of {labels} or none; given {weight.Length} and {bias.Length}");
        }

        (Description, _weight, _bias) = (description, weight, bias);
    }

    /// <summary>Name, layer and labels.</summary>
    public HeadDescription Description { get; }

    /// <summary>One logit per label.</summary>
    /// <param name="pooled">Mean-pooled hidden state of the head's layer, float32 [n_embd].</param>
    /// <exception cref="ArgumentException">The width is not the head's.</exception>
    public float[] Logits(ReadOnlySpan<float> pooled)
    {
        int width = _weight.Length / Description.Labels.Length;
        if (pooled.Length != width)
        {
            throw new ArgumentException($"head '{Description.Name}' reads {width} features; given {pooled.Length}");
        }

        float[] logits = new float[Description.Labels.Length];
        for (int label = 0; label < logits.Length; label++)
        {
            logits[label] = TensorPrimitives.Dot(_weight.AsSpan(label * width, width), pooled) + (_bias.Length > 0 ? _bias[label] : 0);
        }

        return logits;
    }
}
