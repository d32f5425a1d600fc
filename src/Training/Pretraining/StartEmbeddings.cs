using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using static TorchSharp.torch;

namespace IgptCluster.Training.Pretraining;

/// <summary>
/// First embeddings that know what an image is. Colours: half random numbers, which tell them apart, half random Fourier features of their place in the
/// RGB cube, and red, green and blue themselves (Rahimi and Recht, "Random Features for Large-Scale Kernel Machines"), by which like colours begin alike; the language-model head begins
/// with the same rows, so that an untrained network expects the colour of the pixel before. Positions: sines and cosines of row and column (Vaswani et
/// al., "Attention Is All You Need", in two dimensions), in which "one row up" is the same linear map everywhere. Each has a part of the width to itself,
/// and a part begins at 0: features that the network finds need not lie under a colour.
/// </summary>
/// <remarks>
/// Hugging Face starts all of them at random, and so does the paper, with training a thousand times as long: a network then has to learn for each
/// colour apart that pictures go on as they were, and for each position apart which one lies above it.
/// </remarks>
internal sealed class StartEmbeddings
{
    const double FineDistance = 0.1; // of a cube with sides of 2: about from one of 512 colours to the next
    const double CoarseDistance = 0.8;
    const int Channels = 3;
    const double LinearScale = 1.5;
    const double SameColourLogit = 8; // the colour before begins with most of the probability
    const double LongestPeriod = 64; // pixels
    const double ShortestPeriod = 2;

    readonly Palette _palette;
    readonly ImageGptConfig _config;
    readonly int _imageWidth;
    readonly int _seed;

    /// <summary>Prepares a network's embeddings.</summary>
    /// <param name="processor">Colours and image size.</param>
    /// <param name="config">Sizes; the vocabulary is the palette and a start token.</param>
    /// <param name="seed">Seed.</param>
    internal StartEmbeddings(ImageProcessor processor, ImageGptConfig config, int seed)
    {
        (_palette, _config, _imageWidth, _seed) = (processor.Palette, config, processor.Width, seed);
    }

    /// <summary>Gives a first weight of this name, or null where it is no embedding.</summary>
    /// <param name="name">Name of the weight.</param>
    /// <returns>float32 on the CPU, the caller's.</returns>
    internal Tensor? Make(string name) => name switch
    {
        "wte.weight" => Colours(_config.VocabSize, _config.InitializerRange),

        WeightLayout.LanguageHead => Colours(_config.VocabSize - 1, SameColourLogit / (ColourWidth * NormFactor)),
        "wpe.weight" => Positions(),
        _ => null,
    };

    int ColourWidth => _config.EmbeddingSize * 3 / 8;

    int LinearFeatures => Math.Min(2 * Channels, ColourWidth / 4);

    int PositionWidth => _config.EmbeddingSize / 4;

    // What the final norm makes of a number of root mean square 1 in the parts that are not 0.
    double NormFactor => Math.Sqrt(_config.EmbeddingSize / (double)(ColourWidth + PositionWidth));

    // The start token is no colour: its row stays 0.
    Tensor Colours(int rows, double scale)
    {
        int width = _config.EmbeddingSize;
        float[] values = new float[rows * width]; // 0 behind the colours' part
        var random = new Random(_seed);
        for (int feature = 0; feature < ColourWidth; feature++)
        {
            double distance = feature % 4 == 2 ? FineDistance : CoarseDistance;
            (double red, double green, double blue, double phase) = (Normal(random) / distance, Normal(random) / distance, Normal(random) / distance, 2 * Math.PI * random.NextDouble());
            for (int row = 0; row < _palette.Count; row++)
            {
                ReadOnlySpan<double> colour = _palette.Clusters.Slice(row * 3, 3);
                double value = feature < LinearFeatures ? LinearScale * colour[feature % Channels] : feature % 4 < 2 ? Normal(random) : Math.Sqrt(2) * Math.Cos((red * colour[0]) + (green * colour[1]) + (blue * colour[2]) + phase);
                values[(row * width) + feature] = (float)(scale * value);
            }
        }

        return tensor(values, [rows, width]);
    }

    // Position p holds the pixel before it: the start token comes first.
    Tensor Positions()
    {
        int width = _config.EmbeddingSize;
        float[] values = new float[_config.PositionCount * width];
        int frequencies = Math.Max(1, PositionWidth / 4);
        for (int position = 0; position < _config.PositionCount; position++)
        {
            (int row, int column) = Math.DivRem(position, _imageWidth);
            for (int feature = 0; feature < PositionWidth; feature++)
            {
                double share = frequencies == 1 ? 0 : (feature / 4 % frequencies) / (frequencies - 1.0);
                double period = LongestPeriod * Math.Pow(ShortestPeriod / LongestPeriod, share);
                double angle = 2 * Math.PI * (feature % 4 < 2 ? row : column) / period;
                values[(position * width) + ColourWidth + feature] = (float)(_config.InitializerRange * Math.Sqrt(2) * (feature % 2 == 0 ? Math.Sin(angle) : Math.Cos(angle)));
            }
        }

        return tensor(values, [_config.PositionCount, width]);
    }

    // Box and Muller's transform.
    static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
