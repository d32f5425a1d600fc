using IgptCluster.Imaging;
using IgptCluster.Model;
using static TorchSharp.torch;

namespace IgptCluster.Training.Pretraining;

/// <summary>
/// First embeddings of colours: random Fourier features of their place in the RGB cube (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines"),
/// half of them for small distances and half for large ones, so that like colours begin alike. The language-model head begins with the same
/// features: an untrained network already expects the colour of the pixel before. Hugging Face starts both at random; a network then first
/// has to learn for each colour apart that pictures go on as they were, which cost a small model a fifth of its training.
/// </summary>
internal static class ColourEmbeddings
{
    const double FineDistance = 0.2; // of a cube with sides of 2: about from one of 512 colours to the next
    const double CoarseDistance = 0.8;
    const double HeadScale = 2.5; // of initializer_range: the colour before gets about half of the probability

    /// <summary>Gives a network's first weight of this name, or null where it is not one of colours.</summary>
    /// <param name="name">Name of the weight.</param>
    /// <param name="palette">The colours.</param>
    /// <param name="config">Sizes; the vocabulary is the palette and a start token.</param>
    /// <param name="seed">Seed.</param>
    /// <returns>float32 on the CPU, the caller's.</returns>
    internal static Tensor? Make(string name, Palette palette, ImageGptConfig config, int seed) => name switch
    {
        "wte.weight" => Features(palette, config, seed, config.InitializerRange, rows: config.VocabSize),
        WeightLayout.LanguageHead => Features(palette, config, seed, HeadScale * config.InitializerRange, rows: config.VocabSize - 1),
        _ => null,
    };

    static Tensor Features(Palette palette, ImageGptConfig config, int seed, double scale, int rows)
    {
        int width = config.EmbeddingSize;
        float[] values = new float[rows * width];
        var random = new Random(seed);
        for (int feature = 0; feature < width; feature++)
        {
            double distance = feature % 2 == 0 ? FineDistance : CoarseDistance;
            (double red, double green, double blue, double phase) = (Normal(random) / distance, Normal(random) / distance, Normal(random) / distance, 2 * Math.PI * random.NextDouble());
            for (int row = 0; row < rows; row++)
            {
                // The start token is no colour: it stays at 0 and has its position's embedding.
                if (row < palette.Count)
                {
                    ReadOnlySpan<double> colour = palette.Clusters.Slice(row * 3, 3);
                    values[(row * width) + feature] = (float)(scale * Math.Sqrt(2) * Math.Cos((red * colour[0]) + (green * colour[1]) + (blue * colour[2]) + phase));
                }
            }
        }

        return tensor(values, [rows, width]);
    }

    // Box and Muller's transform.
    static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
