using System.Runtime.ExceptionServices;
using IgptCluster.Imaging.Processing;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Data;

/// <summary>Images as colour tokens, all in memory: 2 bytes a pixel. Not changed after it is made.</summary>
internal sealed class TokenDataset
{
    readonly ushort[][] _images;
    readonly int[] _labels;

    internal TokenDataset(int width, int height, IReadOnlyList<string> classes, ushort[][] images, int[] labels)
    {
        (Width, Height, Classes, _images, _labels) = (width, height, classes, images, labels);
    }

    /// <summary>Pixels in a row.</summary>
    internal int Width { get; }

    /// <summary>Rows.</summary>
    internal int Height { get; }

    /// <summary>Tokens of one image.</summary>
    internal int Length => Width * Height;

    /// <summary>Number of images.</summary>
    internal int Count => _images.Length;

    /// <summary>Names of the classes by label; may be empty.</summary>
    internal IReadOnlyList<string> Classes { get; }

    /// <summary>The labels by image, −1 without classes.</summary>
    internal IReadOnlyList<int> Labels => _labels;

    /// <summary>Tokens of one image in raster order.</summary>
    internal ReadOnlySpan<ushort> this[int index] => _images[index];

    /// <summary>Reads and tokenises a folder on all cores.</summary>
    /// <param name="folder">The files.</param>
    /// <param name="processor">Size and palette.</param>
    /// <param name="report">Told how many are done; null for no progress.</param>
    /// <param name="cancellationToken">Stops between images.</param>
    /// <exception cref="DataException">An image cannot be read; names the file.</exception>
    internal static TokenDataset Load(ImageFolder folder, ImageProcessor processor, Action<int>? report, CancellationToken cancellationToken)
    {
        ushort[][] images = new ushort[folder.Files.Count][];
        int done = 0;
        try
        {
            Parallel.For(0, images.Length, new ParallelOptions { CancellationToken = cancellationToken, MaxDegreeOfParallelism = Environment.ProcessorCount }, i =>
            {
                int[] tokens = processor.Tokenize(ImageFolder.Read(folder.Files[i].Path));
                if (tokens.Length != processor.Width * processor.Height)
                    throw new DataException($"{folder.Files[i].Path}: has {tokens.Length} pixels where the model's images have {processor.Width} × {processor.Height}: preprocessor_config.json has do_resize false, so scale it yourself");
                images[i] = Array.ConvertAll(tokens, token => (ushort)token);
                report?.Invoke(Interlocked.Increment(ref done));
            });
        }
        catch (AggregateException failures)
        {
            ExceptionDispatchInfo.Throw(failures.InnerExceptions.OrderBy(failure => failure.Message, StringComparer.Ordinal).First());
        }

        return new TokenDataset(processor.Width, processor.Height, folder.Classes, images, [.. folder.Files.Select(file => file.Label)]);
    }

    /// <summary>Tokens of consecutive images.</summary>
    /// <param name="first">Index of the first.</param>
    /// <param name="count">How many.</param>
    /// <returns>int64 [count, T] on the CPU, in the caller's dispose scope.</returns>
    internal Tensor Tokens(int first, int count) =>
        tensor([.. Enumerable.Range(first, count).SelectMany(i => _images[i]).Select(token => (long)token)], [count, Length]);

    /// <summary>Requires the classes of other images.</summary>
    /// <param name="classes">The classes it has to have.</param>
    /// <param name="path">Its folder, for the message.</param>
    /// <exception cref="DataException">They differ.</exception>
    internal void RequireClasses(IReadOnlyList<string> classes, string path)
    {
        if (!Classes.SequenceEqual(classes))
            throw new DataException($"{path}: its class folders must be those that are learned, {string.Join(", ", classes)}; given {string.Join(", ", Classes)}");
    }

    /// <summary>The mean of a value over all images, computed without gradients.</summary>
    /// <param name="batchSize">Images at a time.</param>
    /// <param name="mean">The mean over a batch, a scalar, of its tokens int64 [B, T] and its first image's index.</param>
    internal double Mean(int batchSize, Func<Tensor, int, Tensor> mean)
    {
        double sum = 0;
        for (int first = 0; first < Count; first += batchSize)
        {
            using DisposeScope scope = NewDisposeScope();
            using IDisposable noGradient = no_grad();
            int count = Math.Min(batchSize, Count - first);
            sum += mean(Tokens(first, count), first).item<float>() * count;
        }

        return sum / Count;
    }

    /// <summary>The images of these indexes, in their order.</summary>
    internal TokenDataset Subset(IReadOnlyList<int> indexes) =>
        new(Width, Height, Classes, [.. indexes.Select(i => _images[i])], [.. indexes.Select(i => _labels[i])]);

    /// <summary>Equally many images of every class (or of all, without classes), drawn by seed; all of a class that has fewer.</summary>
    /// <param name="perClass">Images of each class.</param>
    /// <param name="seed">Seed.</param>
    internal TokenDataset Sample(int perClass, int seed) => Subset(DrawPerClass(perClass, seed));

    /// <summary>The indexes that <see cref="Sample"/> takes, by class.</summary>
    internal int[] DrawPerClass(int perClass, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, Count).GroupBy(i => _labels[i]).OrderBy(group => group.Key).SelectMany(group =>
        {
            int[] members = [.. group];
            random.Shuffle(members);
            return members.Take(perClass).Order();
        })];
    }
}
