using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;

namespace IgptCluster.Training.Shapes;

/// <summary>Writes the shapes data set: <c>split/class/number.png</c>. The same seed gives the same pictures, however many are made.</summary>
internal static class ShapesWriter
{
    /// <summary>Names of the splits, in the order of their seeds.</summary>
    internal static readonly string[] Splits = ["train", "validation", "test"];

    /// <summary>Writes all splits.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="perClass">Pictures of each class in each split.</param>
    /// <param name="side">Pixels on a side, at least 16.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="report">Told how many are written so far.</param>
    /// <param name="cancellationToken">Stops between pictures.</param>
    internal static void Write(string folder, int[] perClass, int side, int seed, Action<int> report, CancellationToken cancellationToken)
    {
        int written = 0;
        for (int split = 0; split < Splits.Length; split++)
        {
            for (int kind = 0; kind < ShapeFigures.All.Count; kind++)
            {
                string target = Path.Combine(folder, Splits[split], ShapeFigures.All[kind].Name);
                Directory.CreateDirectory(target);
                (int splitIndex, int kindIndex) = (split, kind);
                Parallel.For(0, perClass[split], new ParallelOptions { CancellationToken = cancellationToken }, number =>
                {
                    RgbImage image = Paint(kindIndex, side, SeedOf(seed, splitIndex, kindIndex, number));
                    File.WriteAllBytes(Path.Combine(target, $"{number:00000}.png"), PngEncoder.Encode(image));
                    report(Interlocked.Increment(ref written));
                });
            }
        }
    }

    /// <summary>One picture.</summary>
    internal static RgbImage Paint(int kind, int side, int seed) => new ShapeScene(ShapeFigures.All[kind].Contains, side, seed).Paint();

    /// <summary>A picture's own seed: each is independent of how many others there are.</summary>
    internal static int SeedOf(int seed, int split, int kind, int number)
    {
        // SplitMix64's finalizer over all four.
        ulong x = unchecked(((ulong)(uint)seed << 32) ^ ((ulong)split << 28) ^ ((ulong)kind << 22) ^ (uint)number) + 0x9E3779B97F4A7C15;
        x = unchecked((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9);
        x = unchecked((x ^ (x >> 27)) * 0x94D049BB133111EB);
        return (int)((x ^ (x >> 31)) & 0x7FFFFFFF);
    }
}
