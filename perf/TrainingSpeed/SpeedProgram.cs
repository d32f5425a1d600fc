using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.TrainingSpeed;

/// <summary>What to measure.</summary>
internal sealed record SpeedSettings(int Layers, int Width, int Heads, int Batch, int Steps, string Json);

/// <summary>One number type's result.</summary>
/// <param name="DType">f32 or bf16.</param>
/// <param name="ImagesPerSecond">Median over the steps that count.</param>
/// <param name="GemmFlopsPerSecond">The machine's rate in that type, measured right before.</param>
/// <param name="Ceiling">Images per second at that rate.</param>
/// <param name="Share">Images per second of the ceiling.</param>
internal sealed record SpeedResult(string DType, double ImagesPerSecond, double GemmFlopsPerSecond, double Ceiling, double Share);

/// <summary>Runs <c>igpt-train pretrain</c> as users do, and reads its log.</summary>
internal static class SpeedProgram
{
    const int Side = 32;
    const int Colours = 512;

    static readonly string[] DTypes = ["f32", "bf16"];
    static readonly JsonSerializerOptions Indented = new() { WriteIndented = true };

    internal static int Run(SpeedSettings settings)
    {
        LibTorch.Prepare();
        string folder = Directory.CreateTempSubdirectory("igpt-speed-").FullName;
        try
        {
            Train("shapes", "--out", Path.Combine(folder, "shapes"), "--train", "20", "--validation", "0", "--test", "0");
            Train("palette", "--data", Path.Combine(folder, "shapes", "train"), "--out", Path.Combine(folder, "palette"), "--colours", $"{Colours}", "--batches", "20");
            double flops = FlopsPerImage(settings);
            Console.WriteLine(FormattableString.Invariant($"{settings.Layers} layers of {settings.Width}, {settings.Heads} heads, batch {settings.Batch}: {flops / 1e9:0.0} GFLOP an image, forward and backward"));
            SpeedResult[] results = [.. DTypes.Select(dtype => Measure(settings, folder, dtype, flops))];
            File.WriteAllText(settings.Json, JsonSerializer.Serialize(new { settings, flopsPerImage = flops, results }, Indented) + "\n");
            Console.WriteLine($"Wrote {settings.Json}");
            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>
    /// Multiplications and additions of matrix products: a forward pass is 2 a weight and token, and in attention 4 a width and pair of tokens, half of which
    /// causality spares; a backward pass is twice as much.
    /// </summary>
    static double FlopsPerImage(SpeedSettings settings)
    {
        double tokens = Side * Side;
        double weights = (12.0 * settings.Width * settings.Width * settings.Layers) + ((double)Colours * settings.Width);
        double attention = settings.Layers * 4.0 * settings.Width * tokens * tokens / 2;
        return 3 * ((2 * weights * tokens) + attention);
    }

    static SpeedResult Measure(SpeedSettings settings, string folder, string dtype, double flops)
    {
        double rate = MachineLimits.Measure("cpu", dtype == "bf16" ? ScalarType.BFloat16 : ScalarType.Float32).GemmFlopsPerSecond;
        string output = Path.Combine(folder, dtype);
        Train(
            "pretrain", "--data", Path.Combine(folder, "shapes", "train"), "--palette", Path.Combine(folder, "palette"), "--out", output, "--dtype", dtype,
            "--layers", Text(settings.Layers), "--width", Text(settings.Width), "--heads", Text(settings.Heads), "--batch", Text(settings.Batch), "--steps", Text(settings.Steps), "--sample-every", "0");
        double[] speeds = [.. File.ReadLines(Path.Combine(output, "log.jsonl")).Skip(settings.Steps / 4)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("imagesPerSecond").GetDouble()).Order()];
        double speed = speeds[speeds.Length / 2];
        var result = new SpeedResult(dtype, speed, rate, rate / flops, speed * flops / rate);
        Console.WriteLine(FormattableString.Invariant($"{dtype,4}: {speed:0.00} images/s, {speed * flops / 1e9:0} of {rate / 1e9:0} GFLOP/s ({result.Share:P0}); the ceiling is {result.Ceiling:0.0} images/s"));
        return result;
    }

    static string Text(int value) => value.ToString(CultureInfo.InvariantCulture);

    static void Train(params string[] arguments)
    {
        string program = Path.Combine(AppContext.BaseDirectory, "..", "..", "Training", Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory)), "igpt-train.dll");
        var start = new ProcessStartInfo("dotnet", [program, .. arguments]) { RedirectStandardOutput = true };
        using Process process = Process.Start(start)!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"igpt-train {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{output}");
    }
}
