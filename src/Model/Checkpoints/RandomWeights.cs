using System.Runtime.InteropServices;
using static TorchSharp.torch;

namespace IgptCluster.Model.Checkpoints;

/// <summary>
/// Hugging Face's initial weights (<c>ImageGPTPreTrainedModel._init_weights</c>): normal with the configuration's initializer_range, projections
/// back into the residual stream divided by √(2 · n_layer), norms 1, biases 0. A generator of its own: the same seed gives the same bytes
/// whatever libtorch does.
/// </summary>
/// <param name="config">The configuration.</param>
/// <param name="seed">Seed; each weight has a stream of its own, so that order does not matter.</param>
public sealed class RandomWeights(ImageGptConfig config, int seed)
{
    /// <summary>One weight.</summary>
    /// <param name="weight">Name and shape.</param>
    /// <returns>A float32 CPU tensor that the caller owns.</returns>
    public Tensor Make(WeightShape weight)
    {
        float[] values = new float[weight.Count];
        if (weight.Name.Contains("ln_", StringComparison.Ordinal))
        {
            Array.Fill(values, 1f);
        }
        else if (!weight.Name.EndsWith(".bias", StringComparison.Ordinal))
        {
            bool residual = weight.Name.EndsWith("c_proj.weight", StringComparison.Ordinal);
            FillNormal(values, config.InitializerRange / (residual ? Math.Sqrt(2 * config.LayerCount) : 1), StreamOf(weight.Name));
        }

        return tensor(values, weight.Shape, dtype: ScalarType.Float32);
    }

    /// <summary>FNV-1a of the name, mixed with the seed.</summary>
    int StreamOf(string name)
    {
        uint hash = 2166136261;
        foreach (byte value in MemoryMarshal.AsBytes(name.AsSpan()))
        {
            hash = unchecked((hash ^ value) * 16777619);
        }

        return unchecked((int)(hash ^ ((uint)seed * 2654435761)));
    }

    static void FillNormal(float[] values, double deviation, int stream)
    {
        // Box and Muller's transform: two normals from two uniforms.
        var random = new Random(stream);
        for (int i = 0; i < values.Length; i += 2)
        {
            double radius = deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble()));
            (double sine, double cosine) = Math.SinCos(2 * Math.PI * random.NextDouble());
            values[i] = (float)(radius * cosine);
            if (i + 1 < values.Length)
            {
                values[i + 1] = (float)(radius * sine);
            }
        }
    }
}
