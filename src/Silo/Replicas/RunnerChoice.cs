using IgptCluster.Engine.Runner;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Silo.Replicas;

/// <summary>
/// Which runner serves a model on a device: <see cref="CpuModelRunner"/> where it fits, else <see cref="TorchModelRunner"/>, which runs everywhere.
/// </summary>
internal sealed class RunnerChoice
{
    readonly ImageGptConfig _config;
    readonly string _device;
    readonly ScalarType _weights;
    readonly ScalarType _cache;
    readonly bool _isOwn;

    RunnerChoice(ImageGptConfig config, string device, (string DType, string? KvDType) types)
    {
        (_config, _device, _weights) = (config, device, TypeOf(types.DType));
        ScalarType usual = _weights == ScalarType.Int8 ? ScalarType.BFloat16 : _weights;
        _cache = types.KvDType is { } cache ? TypeOf(cache) : usual;
        _isOwn = device == "cpu" && CpuNetwork.Fits(config);
    }

    /// <summary>The runner's name, for logs.</summary>
    internal string Name => _isOwn ? "CPU" : "libtorch";

    /// <summary>Memory of one KV slot in bytes.</summary>
    internal long SlotBytes => _isOwn ? CpuModelRunner.SlotBytes(_config, _cache) : TorchModelRunner.SlotBytes(_config, _weights);

    /// <summary>Memory of the weights in bytes.</summary>
    /// <param name="architecture">Whether it has a language-model head.</param>
    internal long WeightBytes(ImageGptArchitecture architecture)
    {
        long embeddings = (long)(_config.VocabSize + _config.PositionCount) * _config.EmbeddingSize;
        long blocks = (long)_config.LayerCount * _config.EmbeddingSize * ((4L * _config.EmbeddingSize) + (2L * _config.FeedForwardSize));
        long head = architecture == ImageGptArchitecture.CausalImageModeling ? (long)(_config.VocabSize - 1) * _config.EmbeddingSize : 0;
        int size = SizeOf(_weights);
        return (embeddings * (_isOwn ? sizeof(float) : size)) + (blocks * size) + (head * Math.Max(size, sizeof(short)));
    }

    /// <summary>Chooses.</summary>
    /// <param name="config">The model.</param>
    /// <param name="device">The device.</param>
    /// <param name="types">The types wanted, <see cref="Hosting.ReplicaOptions.TypesOf"/>.</param>
    /// <exception cref="InvalidOperationException">No runner has these types here.</exception>
    internal static RunnerChoice For(ImageGptConfig config, string device, (string DType, string? KvDType) types)
    {
        var choice = new RunnerChoice(config, device, types);
        if (choice._isOwn || (choice._weights != ScalarType.Int8 && choice._cache == choice._weights))
            return choice;
        throw new InvalidOperationException(
            $"int8 weights, and a KV cache of another type than the weights, need a processor with AVX2 under Linux on x64 and a model with quick_gelu; "
            + $"given --dtype {types.DType}, --kv-dtype {types.KvDType ?? "as the weights"} on {device} and {config.ActivationFunction}. Use --dtype float32 or bfloat16 alone");
    }

    /// <summary>Reads the weights and makes the runner.</summary>
    /// <param name="checkpoint">Where they lie.</param>
    /// <param name="slots">Number of KV slots.</param>
    /// <param name="threads">Threads that compute on processors, null leaves it to the runner, and whether each stays on a core.</param>
    /// <param name="progress">Told the share of the weights that is there, 0 … 1, by any thread.</param>
    /// <exception cref="CheckpointException">A weight is not finite.</exception>
    internal IModelRunner Create(Checkpoint checkpoint, int slots, (int? Count, bool? ArePinned) threads, IProgress<double> progress)
    {
        Tensor Weight(string name) => checkpoint.Load(name, ScalarType.Float32);
        IDisposable? network = null;
        try
        {
            if (_isOwn)
            {
                var own = new CpuNetwork(checkpoint.Config, checkpoint.Architecture, _weights, checkpoint, progress);
                network = own;
                var options = new CpuRunnerOptions { Slots = slots, KeyValueType = _cache, PinsThreads = threads.ArePinned };
                return new CpuModelRunner(own, options with { Threads = threads.Count ?? options.Threads });
            }

            if (threads.Count is { } count)
            {
                // libtorch keeps it for the thread that asks, which is the engine's.
                set_num_threads(count);
            }

            var plain = new ImageGpt(checkpoint.Config, checkpoint.Architecture, Weight, new Device(_device), _weights);
            network = plain;
            return new TorchModelRunner(plain, new TorchRunnerOptions { Slots = slots });
        }
        catch
        {
            // The slots do not fit: the network is still ours, and its memory is what the next attempt needs.
            network?.Dispose();
            throw;
        }
    }

    static int SizeOf(ScalarType type) => type switch { ScalarType.Int8 => sizeof(sbyte), ScalarType.BFloat16 => sizeof(short), _ => sizeof(float) };

    static ScalarType TypeOf(string name) => name switch { "bfloat16" => ScalarType.BFloat16, "int8" => ScalarType.Int8, _ => ScalarType.Float32 };
}
