using System.Diagnostics;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck;

/// <summary>Writes a checkpoint of random weights, for machines where no real one is at hand.</summary>
internal static class CheckpointProgram
{
    internal static int Run(string preset, string dtype, string folder)
    {
        LibTorch.Prepare();
        long start = Stopwatch.GetTimestamp();
        Write(preset, dtype, folder);
        long bytes = Directory.GetFiles(folder).Sum(file => new FileInfo(file).Length);
        Console.WriteLine($"{folder}: {preset} in {dtype}, random weights, {bytes / 1e6:0} MB in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
        return 0;
    }

    /// <summary>Writes one with a language-model head.</summary>
    /// <param name="preset">A size by its name.</param>
    /// <param name="dtype">float32 or bfloat16.</param>
    /// <param name="folder">Where to.</param>
    internal static void Write(string preset, string dtype, string folder)
    {
        ImageGptConfig config = ImageGptConfig.Preset(preset);
        var content = new CheckpointContent { Config = config, Architecture = ImageGptArchitecture.CausalImageModeling, DType = EngineProgram.TypeOf(dtype) };

        // Weights are made ahead on all processors: one would take longer for the large model than all measurements.
        var random = new RandomWeights(config, seed: 0);
        using IEnumerator<WeightShape> next = WeightLayout.Of(config, content.Architecture).GetEnumerator();
        var ahead = new Queue<Task<Tensor>>();
        CheckpointWriter.Write(folder, content, _ =>
        {
            while (ahead.Count < Environment.ProcessorCount && next.MoveNext())
            {
                WeightShape weight = next.Current;
                ahead.Enqueue(Task.Run(() => random.Make(weight)));
            }

            return ahead.Dequeue().GetAwaiter().GetResult();
        });
    }
}
