using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using IgptCluster.Engine.Runner;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Torch;
using Spectre.Console;
using static TorchSharp.torch;

namespace IgptCluster.Accuracy;

/// <summary>What to compare.</summary>
internal sealed record AccuracySettings(string Model, string? Data, int Images, string Device, string Json);

/// <summary>How far a runner is from the reference, over all positions of all images.</summary>
/// <param name="Runner">The runner's name.</param>
/// <param name="Weights">Data type of its weights.</param>
/// <param name="Cache">Data type of its KV cache.</param>
/// <param name="LogitError">Root mean square of the difference of logits, divided by that of the logits less their mean.</param>
/// <param name="Loss">Mean negative log-likelihood, nats per token.</param>
/// <param name="Agreement">Share of positions whose most likely token is the reference's.</param>
/// <param name="IsClose">Whether the error of the logits is within what the data types explain.</param>
internal sealed record AccuracyResult(string Runner, string Weights, string Cache, double LogitError, double Loss, double Agreement, bool IsClose);

/// <summary>Feeds images token by token, as decoding does, and compares the logits of every position.</summary>
internal static class AccuracyProgram
{
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static async Task<int> RunAsync(AccuracySettings settings)
    {
        LibTorch.Prepare();
        Console.WriteLine(LibTorch.Describe());
        using Checkpoint checkpoint = Checkpoint.Open(settings.Model);
        int[][] images = await ReadAsync(checkpoint, settings.Data, settings.Images);
        float[][] expected = Logits(Plain(checkpoint, ScalarType.Float32, "cpu", images.Length), images);
        var results = new List<AccuracyResult> { Compare("libtorch on cpu", ScalarType.Float32, ScalarType.Float32, expected, expected, images) };
        foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 }.Where(dtype => settings.Device != "cpu" || dtype != ScalarType.Float32))
        {
            float[][] logits = Logits(Plain(checkpoint, dtype, settings.Device, images.Length), images);
            results.Add(Compare($"libtorch on {settings.Device}", dtype, dtype, logits, expected, images));
        }

        (ScalarType Weights, ScalarType Cache)[] own =
        [
            (ScalarType.Float32, ScalarType.Float32), (ScalarType.Float32, ScalarType.BFloat16), (ScalarType.Float32, ScalarType.Int8), (ScalarType.BFloat16, ScalarType.BFloat16),
            (ScalarType.BFloat16, ScalarType.Int8), (ScalarType.Int8, ScalarType.BFloat16), (ScalarType.Int8, ScalarType.Int8),
        ];
        foreach ((ScalarType weights, ScalarType cache) in CpuNetwork.Fits(checkpoint.Config) ? own : [])
        {
            var network = new CpuNetwork(checkpoint.Config, checkpoint.Architecture, weights, checkpoint);
            var runner = new CpuModelRunner(network, new CpuRunnerOptions { Slots = images.Length, KeyValueType = cache });
            results.Add(Compare("processors' own", weights, cache, Logits(runner, images), expected, images));
        }

        Print(results, images);
        await File.WriteAllTextAsync(settings.Json, JsonSerializer.Serialize(results, Indented));
        Console.WriteLine($"Wrote {settings.Json}");
        return results.TrueForAll(result => result.IsClose) ? 0 : 1;
    }

    static TorchModelRunner Plain(Checkpoint checkpoint, ScalarType dtype, string device, int slots) => new(
        new ImageGpt(checkpoint.Config, checkpoint.Architecture, name => checkpoint.Load(name, ScalarType.Float32), new Device(device), dtype),
        new TorchRunnerOptions { Slots = slots });

    // What the roundings of weights and cache explain, with room.
    static double Limit(ScalarType weights, ScalarType cache) => (weights, cache) switch
    {
        (ScalarType.Float32, ScalarType.Float32) => 1e-4,
        (ScalarType.Int8, _) => 0.2,
        _ => 0.05,
    };

    // Of each position of all images: [position][images × logits].
    static float[][] Logits(IModelRunner runner, int[][] images)
    {
        using (runner)
        {
            float[][] all = new float[images[0].Length][];
            for (int position = 0; position < all.Length; position++)
            {
                SequenceChunk[] chunks =
                [
                    .. images.Select((image, slot) => new SequenceChunk
                    {
                        Slot = slot,
                        Start = position,
                        Tokens = new[] { position == 0 ? runner.Shape.StartToken : image[position - 1] },
                        LogitRows = 1,
                    }),
                ];
                all[position] = [.. runner.Execute(new StepPlan([], chunks)).SelectMany(output => output.Logits.ToArray())];
            }

            return all;
        }
    }

    static AccuracyResult Compare(string runner, ScalarType weights, ScalarType cache, float[][] actual, float[][] expected, int[][] images)
    {
        (double error, double size, double loss, long same) = (0, 0, 0, 0);
        int width = expected[0].Length / images.Length;
        for (int position = 0; position < expected.Length; position++)
        {
            for (int image = 0; image < images.Length; image++)
            {
                ReadOnlySpan<float> given = actual[position].AsSpan(image * width, width);
                ReadOnlySpan<float> right = expected[position].AsSpan(image * width, width);
                (double mean, double givenMean) = (Mean(right), Mean(given));
                for (int i = 0; i < width; i++)
                {
                    // A number added to all logits changes nothing.
                    error += Math.Pow(given[i] - givenMean - (right[i] - mean), 2);
                    size += Math.Pow(right[i] - mean, 2);
                }

                loss += LogSumExp(given) - given[images[image][position]];
                same += Greatest(given) == Greatest(right) ? 1 : 0;
            }
        }

        double positions = (double)expected.Length * images.Length;
        double logits = Math.Sqrt(error / size);
        return new AccuracyResult(
            runner, $"{weights}".ToLowerInvariant(), $"{cache}".ToLowerInvariant(), logits, loss / positions, same / positions, IsClose: logits <= Limit(weights, cache));
    }

    static double Mean(ReadOnlySpan<float> values) => System.Numerics.Tensors.TensorPrimitives.Sum(values) / values.Length;

    static int Greatest(ReadOnlySpan<float> values) => System.Numerics.Tensors.TensorPrimitives.IndexOfMax(values);

    static double LogSumExp(ReadOnlySpan<float> values)
    {
        (double greatest, double sum) = (values[Greatest(values)], 0);
        foreach (float value in values)
            sum += Math.Exp(value - greatest);
        return greatest + Math.Log(sum);
    }

    static async Task<int[][]> ReadAsync(Checkpoint checkpoint, string? data, int count)
    {
        ImageProcessor processor = ImageProcessor.Parse(checkpoint.PreprocessorJson ?? throw new InvalidOperationException($"{checkpoint.Folder}: there is no preprocessor_config.json"));
        DirectoryInfo? drawn = data is null ? Directory.CreateTempSubdirectory("igpt-accuracy-") : null;
        try
        {
            if (drawn is not null)
                await DrawAsync(drawn.FullName, count);
            string folder = data ?? Path.Combine(drawn!.FullName, "validation");
            string[] files = [.. Directory.EnumerateFiles(folder, "*.png", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];
            int step = Math.Max(1, files.Length / count);
            return [.. files.Where((_, index) => index % step == 0).Take(count).Select(file => processor.Tokenize(ImageDecoder.Decode(File.ReadAllBytes(file))))];
        }
        finally
        {
            drawn?.Delete(recursive: true);
        }
    }

    // The pictures that training was held out from: each has a seed of its own, however many there are.
    static async Task DrawAsync(string folder, int count)
    {
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string program = Path.Combine(own.Parent!.Parent!.FullName, "Training", own.Name, "igpt-train.dll");
        string perClass = Math.Max(1, (count + 9) / 10).ToString(CultureInfo.InvariantCulture);
        using Process process = Process.Start(new ProcessStartInfo("dotnet", [program, "shapes", "--out", folder, "--train", "1", "--validation", perClass, "--test", "1", "--seed", "1"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        Task progress = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
        string words = await process.StandardError.ReadToEndAsync();
        await progress;
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"igpt-train shapes ended with {process.ExitCode}: {words}");
    }

    static void Print(List<AccuracyResult> results, int[][] images)
    {
        Table table = new Table().Title($"{images.Length} images, {images.Length * images[0].Length} positions").AddColumns("runner", "weights", "KV cache", "logits", "loss", "less float32", "greedy agreement");
        foreach (AccuracyResult result in results)
        {
            table.AddRow(
                result.Runner, result.Weights, result.Cache, $"{result.LogitError:0.0e+0}", $"{result.Loss:0.00000}", $"{result.Loss - results[0].Loss:+0.00000;-0.00000;0}", $"{result.Agreement:P2}");
        }

        AnsiConsole.Write(table);
    }
}
