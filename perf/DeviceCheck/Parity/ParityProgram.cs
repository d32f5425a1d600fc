using System.Text.Json;
using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Torch;
using IgptCluster.Tests.Shared;
using Spectre.Console;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Parity;

/// <summary>How far one model in one data type is from Hugging Face's reference values, over all its cases.</summary>
/// <param name="Model">The model's name.</param>
/// <param name="Runner">Whose kernels: libtorch's or our own.</param>
/// <param name="DType">Data type of weights, KV cache and results.</param>
/// <param name="Cases">Cases compared.</param>
/// <param name="Worst">Largest difference of any output, divided by that output's largest magnitude.</param>
/// <param name="WorstOf">The case and output that it was.</param>
/// <param name="Limit">What the data type's roundings explain.</param>
/// <param name="GreedyTokens">Greedy choices compared.</param>
/// <param name="GreedyOther">Those that were not the reference's although its choice was clear: its two best logits further apart than the limit explains.</param>
internal sealed record ParityResult(string Model, string Runner, string DType, int Cases, double Worst, string WorstOf, double Limit, int GreedyTokens, int GreedyOther)
{
    public bool IsClose => Worst <= Limit && GreedyOther == 0;
}

/// <summary>Compares libtorch on a device with the golden reference values (tests/golden): dense forward passes, decoding with KV slots, greedy choices.</summary>
internal static class ParityProgram
{
    internal static int Run(string golden, string device, string json)
    {
        LibTorch.Prepare();
        Console.WriteLine(LibTorch.Describe());
        if (device == "cuda" && !cuda.is_available())
            throw new InvalidOperationException("--device cuda needs a CUDA device that this libtorch finds: the line above says why it finds none");
        var results = new List<ParityResult>();
        foreach (string folder in Directory.GetDirectories(Path.Combine(golden, "cases")).Order(StringComparer.Ordinal))
        {
            string model = Path.GetFileName(folder);
            foreach (ScalarType dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 })
            {
                results.Add(Compare(golden, model, new Device(device), dtype));
                if (device == "cuda")
                    results.Add(CompareOwn(golden, model, dtype));
                Results.Write(json, results);
            }
        }

        Print(results, device);
        return results.Count > 0 && results.TrueForAll(result => result.IsClose) ? 0 : 1;
    }

    // libtorch: everything.
    static ParityResult Compare(string golden, string model, Device device, ScalarType dtype)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(golden, "models", model));
        IModelRunner Runner(int slots) => new TorchModelRunner(Network(checkpoint, device, dtype), new TorchRunnerOptions { Slots = slots });
        return Compare(golden, (model, "libtorch", dtype), (one, tally) => one.Kind == "forward" ? Dense.Compare(one, Network(checkpoint, device, dtype), tally) : Decoding.Compare(one, Runner, tally));
    }

    // Our own kernels: what is served.
    static ParityResult CompareOwn(string golden, string model, ScalarType dtype)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(golden, "models", model));
        return Compare(golden, (model, "own", dtype), (one, tally) => Decoding.Compare(one, slots => CudaModelRunner.Open(0, checkpoint, dtype, slots), tally));
    }

    static ParityResult Compare(string golden, (string Model, string Runner, ScalarType DType) what, Func<ParityCase, ParityTally, int> compare)
    {
        using var scope = NewDisposeScope();
        using var inference = no_grad();
        string folder = Path.Combine(golden, "cases", what.Model);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "cases.json")));
        var tensors = new GoldenTensors(Path.Combine(folder, "cases.safetensors"));
        var tally = new ParityTally(what.DType);
        int cases = 0;
        foreach (JsonElement json in document.RootElement.GetProperty("cases").EnumerateArray())
        {
            using var step = NewDisposeScope();
            cases += compare(new ParityCase(json, tensors), tally);
        }

        return new ParityResult(what.Model, what.Runner, $"{what.DType}".ToLowerInvariant(), cases, tally.Worst, tally.WorstOf, tally.Limit, tally.GreedyTokens, tally.GreedyOther);
    }

    static ImageGpt Network(Checkpoint checkpoint, Device device, ScalarType dtype) =>
        new(checkpoint.Config, checkpoint.Architecture, name => checkpoint.Load(name, ScalarType.Float32), device, dtype);

    static void Print(List<ParityResult> results, string device)
    {
        Table table = new Table().Title($"Beside Hugging Face's reference values, on {device}").AddColumns("model", "kernels", "dtype", "cases", "worst", "limit", "greedy", "other", "");
        foreach (ParityResult result in results)
        {
            table.AddRow(
                result.Model, result.Runner, result.DType, $"{result.Cases}", $"{result.Worst:0.0e+0}", $"{result.Limit:0.0e+0}", $"{result.GreedyTokens}", $"{result.GreedyOther}", result.IsClose ? "close" : $"not close: {result.WorstOf}");
        }

        AnsiConsole.Write(table);
    }
}
