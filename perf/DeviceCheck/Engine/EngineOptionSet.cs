using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Model.Torch;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>The options of an engine's run: perf/Load has them too.</summary>
internal sealed class EngineOptionSet
{
    readonly Option<string?> _model = new("--model") { Description = "Checkpoint folder with a language-model head. Default: random weights of --preset." };
    readonly Option<string> _preset = ChoiceOption.Create("--preset", "Size of the random weights:", "small", "tiny", "small", "medium", "large");
    readonly Option<string> _dtype = ChoiceOption.CreateDataType("--dtype", "Data type served:", "float32", "float32", "bfloat16", "int8");
    readonly Option<string?> _cache = ChoiceOption.CreateOptionalDataType("--kv-dtype", "Data type of the KV cache, by default as the weights, bfloat16 with int8:", "float32", "bfloat16", "int8");
    readonly Option<int[]> _sessions = NumberOption.CreateMany("--sessions", "Concurrent sessions.", [1, 8, 32, 64], 1, 4096);
    readonly Option<int[]> _positions = NumberOption.CreateMany("--positions", "Mean positions to decode at.", [32, 512, 992], 1, 100_000);
    readonly Option<int> _tokens = NumberOption.Create("--tokens", "Tokens each session makes.", 40, 2, 64);
    readonly Option<int> _rounds = NumberOption.Create("--rounds", "Rounds; medians are reported.", 3, 1, 1000);
    readonly Option<string> _device = ChoiceOption.Create("--device", "Where it runs, the processor or the first CUDA device:", "cpu", "cpu", "cuda");
    readonly Option<string> _runner = ChoiceOption.Create("--runner", "Whose kernels compute on cuda, our own having float32 and bfloat16:", "libtorch", "libtorch", "own");
    readonly Option<int> _soak = NumberOption.Create("--soak", "Further steps, to see whether memory grows.", 0, 0, int.MaxValue);

    internal Option[] All => [_model, _preset, _device, _runner, _dtype, _cache, _sessions, _positions, _tokens, _rounds, _soak];

    /// <summary>The settings, with a checkpoint of random weights where none is named; gives them to the work and removes the checkpoint afterwards.</summary>
    internal async Task<int> WithSettingsAsync(ParseResult parsed, Func<EngineSettings, Task<int>> work)
    {
        LibTorch.Prepare();
        string? named = parsed.GetValue(_model);
        string dtype = parsed.GetRequiredValue(_dtype);
        DirectoryInfo? made = named is null ? Directory.CreateTempSubdirectory("igpt-load-") : null;
        try
        {
            if (made is not null)
                CheckpointProgram.Write(parsed.GetRequiredValue(_preset), "float32", made.FullName);
            return await work(new EngineSettings(
                named ?? made!.FullName,
                named ?? $"{parsed.GetRequiredValue(_preset)} (random)",
                parsed.GetRequiredValue(_device),
                parsed.GetRequiredValue(_runner),
                dtype,
                parsed.GetValue(_cache) ?? (dtype == "int8" ? "bfloat16" : dtype),
                parsed.GetRequiredValue(_sessions),
                parsed.GetRequiredValue(_positions),
                parsed.GetValue(_tokens),
                parsed.GetValue(_rounds),
                parsed.GetValue(_soak)));
        }
        finally
        {
            made?.Delete(recursive: true);
        }
    }
}
