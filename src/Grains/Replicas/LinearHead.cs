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

    /// <summary>Logits of all labels for all images, as one matrix product: each weight is read once.</summary>
    /// <param name="pooled">Mean-pooled hidden states of the head's layer, float32 [images][n_embd].</param>
    /// <returns>float32 [images][labels].</returns>
    /// <exception cref="ArgumentException">The width is not the head's.</exception>
    public float[][] Logits(float[][] pooled)
    {
        int width = _weight.Length / Description.Labels.Length;
        if (Array.Find(pooled, image => image.Length != width) is { } other)
        {
            throw new ArgumentException($"head '{Description.Name}' reads {width} features; given {other.Length}");
        }

        float[][] logits = Array.ConvertAll(pooled, _ => new float[Description.Labels.Length]);
        for (int label = 0; label < Description.Labels.Length; label++)
        {
            ReadOnlySpan<float> row = _weight.AsSpan(label * width, width);
            for (int image = 0; image < pooled.Length; image++)
            {
                logits[image][label] = TensorPrimitives.Dot(row, pooled[image]) + (_bias.Length > 0 ? _bias[label] : 0);
            }
        }

        return logits;
    }
}
