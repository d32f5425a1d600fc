using System.Globalization;
using IgptCluster.Engine.Runner;
using IgptCluster.Hosting;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Silo.Replicas;

/// <summary>
/// Which runner serves a model on a device: <see cref="CpuModelRunner"/> on processors and <see cref="CudaModelRunner"/> on CUDA devices where they are made for it, else
/// <see cref="TorchModelRunner"/>, which runs everywhere and which both are tested against (<c>Igpt:Runner</c>).
/// </summary>
internal sealed class RunnerChoice
{
    const string CudaPrefix = "cuda:";

    readonly ImageGptConfig _config;
    readonly string _device;
    readonly ScalarType _weights;
    readonly ScalarType _cache;
    readonly Kind _kind;

    enum Kind
    {
        Cpu,
        Cuda,
        LibTorch,
    }

    RunnerChoice(ImageGptConfig config, string device, ReplicaOptions options, (string DType, string? KvDType) types)
    {
        (_config, _device, _weights) = (config, device, TypeOf(types.DType));
        ScalarType usual = _weights == ScalarType.Int8 ? ScalarType.BFloat16 : _weights;
        _cache = types.KvDType is { } cache ? TypeOf(cache) : usual;
        (_kind, Reason) = Choose(options.Runner);
    }

    /// <summary>The runner's name, for logs.</summary>
    internal string Name => _kind switch { Kind.Cpu => "CPU", Kind.Cuda => "CUDA", _ => "libtorch" };

    /// <summary>Why it is this one.</summary>
    internal string Reason { get; }

    /// <summary>Whether it takes fewer slots than wanted where the device's memory holds no more.</summary>
    internal bool CanShrink => _kind == Kind.Cuda;

    /// <summary>Whether a token's logits have the same bits whatever else its step computes: what verifying guesses rests on.</summary>
    internal bool IsRowInvariant => _kind != Kind.LibTorch;

    /// <summary>Memory of one KV slot in bytes.</summary>
    internal long SlotBytes => _kind switch
    {
        Kind.Cpu => CpuModelRunner.SlotBytes(_config, _cache),
        Kind.Cuda => CudaModelRunner.SlotBytes(_config, _weights),
        _ => TorchModelRunner.SlotBytes(_config, _weights),
    };

    bool IsCuda => _device.StartsWith(CudaPrefix, StringComparison.Ordinal);

    /// <summary>Memory of the weights in bytes.</summary>
    /// <param name="architecture">Whether it has a language-model head.</param>
    internal long WeightBytes(ImageGptArchitecture architecture)
    {
        long embeddings = (long)(_config.VocabSize + _config.PositionCount) * _config.EmbeddingSize;
        long blocks = (long)_config.LayerCount * _config.EmbeddingSize * ((4L * _config.EmbeddingSize) + (2L * _config.FeedForwardSize));
        long head = architecture == ImageGptArchitecture.CausalImageModeling ? (long)(_config.VocabSize - 1) * _config.EmbeddingSize : 0;
        int size = SizeOf(_weights);
        return (embeddings * (_kind == Kind.Cpu ? sizeof(float) : size)) + (blocks * size) + (head * Math.Max(size, sizeof(short)));
    }

    /// <summary>Chooses.</summary>
    /// <param name="config">The model.</param>
    /// <param name="device">The device.</param>
    /// <param name="options">The silo's settings.</param>
    /// <param name="served">The model as it is to be served.</param>
    /// <exception cref="InvalidOperationException">No runner has these types here.</exception>
    internal static RunnerChoice For(ImageGptConfig config, string device, ReplicaOptions options, ServedCheckpoint served)
    {
        (string DType, string? KvDType) types = options.TypesOf(served);
        var choice = new RunnerChoice(config, device, options, types);
        if (choice._kind != Kind.LibTorch || (choice._weights != ScalarType.Int8 && choice._cache == choice._weights))
            return choice;
        throw new InvalidOperationException(
            $"int8 weights, and a KV cache of another type than the weights, need a processor with AVX2 under Linux on x64, a model with quick_gelu, and Igpt:Runner auto; "
            + $"given --dtype {types.DType}, --kv-dtype {types.KvDType ?? "as the weights"} on {device}, {config.ActivationFunction} and Igpt:Runner {options.Runner}. Use --dtype float32 or bfloat16 alone");
    }

    (Kind Kind, string Reason) Choose(string wanted)
    {
        if (wanted == ReplicaOptions.ReferenceRunner)
            return (Kind.LibTorch, "Igpt:Runner says so");
        if (!IsCuda)
            return CpuNetwork.Fits(_config) ? (Kind.Cpu, "it is made for this model") : (Kind.LibTorch, "the CPU runner needs AVX2 under Linux on x64 and a model with quick_gelu");
        return CudaModelRunner.Fits(_config, _weights, _cache, out string reason) ? (Kind.Cuda, "its kernels are made for this model") : (Kind.LibTorch, $"the CUDA kernels are not made for this model: {reason}");
    }

    /// <summary>Reads the weights and makes the runner.</summary>
    /// <param name="checkpoint">Where they lie.</param>
    /// <param name="slots">Number of KV slots.</param>
    /// <param name="threads">Threads that compute on processors, null leaves it to the runner, and whether each stays on a core.</param>
    /// <param name="progress">Told the share of the weights that is there, 0 … 1, by any thread.</param>
    /// <exception cref="CheckpointException">A weight is not finite.</exception>
    internal IModelRunner Create(Checkpoint checkpoint, int slots, (int? Count, bool? ArePinned) threads, IProgress<double> progress)
    {
        IDisposable? network = null;
        try
        {
            if (_kind == Kind.Cuda)
                return CudaModelRunner.Open(int.Parse(_device.AsSpan(CudaPrefix.Length), CultureInfo.InvariantCulture), checkpoint, _weights, slots, progress);
            if (_kind == Kind.Cpu)
            {
                var own = new CpuNetwork(checkpoint.Config, checkpoint.Architecture, _weights, checkpoint, progress);
                network = own;
                var options = new CpuRunnerOptions { Slots = slots, KeyValueType = _cache, PinsThreads = threads.ArePinned };
                return new CpuModelRunner(own, options with { Threads = threads.Count ?? options.Threads });
            }

            ImageGpt reference = LoadReference(checkpoint, threads.Count);
            network = reference;
            return new TorchModelRunner(reference, new TorchRunnerOptions { Slots = slots });
        }
        catch
        {
            // The slots do not fit: the network is still ours, and its memory is what the next attempt needs.
            network?.Dispose();
            throw;
        }
    }

    ImageGpt LoadReference(Checkpoint checkpoint, int? threads)
    {
        LibTorch.Prepare();
        if (IsCuda && !cuda.is_available())
            throw new InvalidOperationException($"{_device} needs a CUDA libtorch here, since {Reason}; there is {LibTorch.Describe()}. Set IGPT_LIBTORCH to a CUDA PyTorch's lib folder, or use --device cpu");
        if (threads is { } count)
            set_num_threads(count); // kept for the thread that asks, which is the engine's
        return new ImageGpt(checkpoint.Config, checkpoint.Architecture, name => checkpoint.Load(name, ScalarType.Float32), new Device(_device), _weights);
    }

    static int SizeOf(ScalarType type) => type switch { ScalarType.Int8 => sizeof(sbyte), ScalarType.BFloat16 => sizeof(short), _ => sizeof(float) };

    static ScalarType TypeOf(string name) => name switch { "bfloat16" => ScalarType.BFloat16, "int8" => ScalarType.Int8, _ => ScalarType.Float32 };
}
