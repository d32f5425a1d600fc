using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Imaging.Resampling;
using IgptCluster.Training.Data;
using IgptCluster.Training.Palettes;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train palette</c>: the colours that images are quantised to.</summary>
internal static class PaletteCommand
{
    const int ShownImages = 8;
    const int Tile = 6;

    internal static Command Create()
    {
        var data = new Option<DirectoryInfo>("--data") { Description = "Folder of images, class/name.png or plain.", Required = true };
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write: preprocessor_config.json, palette.png, quantised.png.", Required = true };
        Option<int> colours = NumberOption.Create("--colours", "Number of colours.", 512, 2, 4096);
        Option<int> side = NumberOption.Create("--side", "Pixels on a side of the model's images.", 32, 1, 256);
        Option<int> batches = NumberOption.Create("--batches", "Mini-batches of 16,384 pixels.", 500, 1, 1_000_000);
        Option<int> most = NumberOption.Create("--images", "Images to learn from at most, drawn by seed.", 4000, 1, 10_000_000);
        Option<int> seed = NumberOption.Create("--seed", "Seed: the same seed gives the same palette.", 0, 0, int.MaxValue);
        var command = new Command("palette", "Finds a palette by k-means over the pixels of a folder of images.") { data, output, colours, side, batches, most, seed };
        command.Does((parsed, cancellationToken) =>
        {
            string[] files = Pick(ImageFolder.Open(parsed.GetRequiredValue(data).FullName), parsed.GetValue(most), parsed.GetValue(seed));
            RgbImage[] images = Read(files, parsed.GetValue(side), cancellationToken);
            byte[] pixels = [.. images.SelectMany(image => image.Memory.ToArray())];
            if (pixels.Length / 3 < parsed.GetValue(colours))
                throw new DataException($"{parsed.GetRequiredValue(data).FullName}: a palette of {parsed.GetValue(colours)} colours needs at least as many pixels; given {pixels.Length / 3:N0}: add images or lower --colours");
            Palette palette;
            using (var progress = new ProgressLine("Clustering", parsed.GetValue(batches)))
            {
                palette = PaletteTraining.Train(pixels, parsed.GetValue(colours), parsed.GetValue(batches), parsed.GetValue(seed), done => progress.Show(done), cancellationToken);
            }

            Write(parsed.GetRequiredValue(output).FullName, palette, images, parsed.GetValue(side));
            return 0;
        });
        return command;
    }

    static string[] Pick(ImageFolder folder, int most, int seed)
    {
        string[] files = [.. folder.Files.Select(file => file.Path)];
        new Random(seed).Shuffle(files);
        return [.. files.Take(most)];
    }

    // In the size the model will see: resizing makes colours that the original has not.
    static RgbImage[] Read(string[] files, int side, CancellationToken cancellationToken)
    {
        var images = new RgbImage[files.Length];
        int done = 0;
        using var progress = new ProgressLine("Reading images", files.Length);
        Parallel.For(0, files.Length, new ParallelOptions { CancellationToken = cancellationToken }, i =>
        {
            images[i] = PillowResampler.Resize(ImageFolder.Read(files[i]), side, side);
            progress.Show(Interlocked.Increment(ref done));
        });
        return images;
    }

    static void Write(string folder, Palette palette, RgbImage[] images, int side)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "preprocessor_config.json"), ProcessorJson.Write(palette.Clusters, side));
        File.WriteAllBytes(Path.Combine(folder, "palette.png"), PngEncoder.Encode(Picture(palette)));
        RgbImage[] quantised = [.. images.Select(image => Quantise(palette, image))];
        double squares = images.Zip(quantised).Sum(pair => SquaredError(pair.First, pair.Second));
        double mean = squares / images.Sum(image => (double)image.Rgb.Length);
        double psnr = 10 * Math.Log10(255 * 255 / mean);
        string before = Path.Combine(folder, "quantised.png");
        File.WriteAllBytes(before, PngEncoder.Encode(ContactSheet.Compose(
            [[.. images.Take(ShownImages).Select(Enlarge)], [.. quantised.Take(ShownImages).Select(Enlarge)]])));
        Console.WriteLine($"{palette.Count} colours: root mean square error {Math.Sqrt(mean):0.00} levels of 255, PSNR {psnr:0.0} dB over {images.Length:N0} images");
        Console.WriteLine($"Wrote preprocessor_config.json, palette.png and quantised.png (above as they are, below as the model sees them) to {folder}");
    }

    static RgbImage Enlarge(RgbImage image) => image.Upscale(Math.Clamp(96 / image.Width, 1, 4));

    static RgbImage Quantise(Palette palette, RgbImage image)
    {
        int[] tokens = new int[image.Width * image.Height];
        palette.Nearest(image.Rgb, tokens);
        return TokenImage.Render(palette, tokens, image.Width, image.Height);
    }

    static double SquaredError(RgbImage left, RgbImage right)
    {
        double sum = 0;
        for (int i = 0; i < left.Rgb.Length; i++)
            sum += (left.Rgb[i] - right.Rgb[i]) * (left.Rgb[i] - right.Rgb[i]);
        return sum;
    }

    // Each colour a square, in the order of their tokens.
    static RgbImage Picture(Palette palette)
    {
        int columns = (int)Math.Ceiling(Math.Sqrt(2.0 * palette.Count));
        int rows = (palette.Count + columns - 1) / columns;
        return TokenImage.Render(palette, [.. Enumerable.Range(0, palette.Count)], columns, rows).Upscale(Tile);
    }
}
