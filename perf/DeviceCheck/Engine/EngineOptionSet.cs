using System.CommandLine;
using IgptCluster.Model;

namespace IgptCluster.DeviceCheck;

/// <summary>The options of an engine's run: perf/Load has them too.</summary>
internal sealed class EngineOptionSet
{
    readonly Option<string?> _model = new("--model") { Description = "Checkpoint folder with a language-model head. Default: random weights of --preset." };
    readonly Option<string> _preset = new("--preset") { Description = "Size of the random weights.", DefaultValueFactory = _ => "small" };
    readonly Option<string> _dtype = new("--dtype") { Description = "Data type served.", DefaultValueFactory = _ => "float32" };
    readonly Option<string?> _cache = new("--kv-dtype") { Description = "Data type of the KV cache. Default: as the weights, bfloat16 with int8." };
    readonly Option<int[]> _sessions = new("--sessions") { Description = "Concurrent sessions.", DefaultValueFactory = _ => [1, 8, 32, 64], AllowMultipleArgumentsPerToken = true };
    readonly Option<int[]> _positions = new("--positions") { Description = "Mean positions to decode at.", DefaultValueFactory = _ => [32, 512, 992], AllowMultipleArgumentsPerToken = true };
    readonly Option<int> _tokens = new("--tokens") { Description = "Tokens each session makes, 2 … 64.", DefaultValueFactory = _ => 40 };
    readonly Option<int> _rounds = new("--rounds") { Description = "Rounds; medians are reported.", DefaultValueFactory = _ => 3 };
    readonly Option<string> _device = new("--device") { Description = "cpu, or cuda for the first CUDA device.", DefaultValueFactory = _ => "cpu" };
    readonly Option<int> _soak = new("--soak") { Description = "Further steps, to see whether memory grows.", DefaultValueFactory = _ => 0 };

    internal EngineOptionSet()
    {
        _preset.AcceptOnlyFromAmong("tiny", "small", "medium", "large");
        _dtype.AcceptOnlyFromAmong("float32", "bfloat16", "int8");
        _cache.AcceptOnlyFromAmong("float32", "bfloat16", "int8");
        _device.AcceptOnlyFromAmong("cpu", "cuda");
    }

    internal Option[] All => [_model, _preset, _device, _dtype, _cache, _sessions, _positions, _tokens, _rounds, _soak];

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
