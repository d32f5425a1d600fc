using System.Numerics;
using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cuda;

/// <summary>
/// Runs step plans on a CUDA device by our own kernels (<c>Kernels/*.cu</c>), without libtorch. All tokens of a step go through every kernel together, however
/// long their sequences are; steps that only decode are graphs. A token's result depends on its own sequence alone: not on others of the step, nor on how its
/// prefix was cut into chunks, to the last bit. Created, called and disposed on one thread.
/// </summary>
public sealed class CudaModelRunner : IModelRunner
{
    /// <summary>Numbers that a head may have.</summary>
    internal const int MostHeadSize = 256;

    const long MostReserve = 2L << 30; // of the device's memory: for a step's rows, and what the driver takes
    const int ReserveShare = 20;

    readonly ICudaDevice _device;
    readonly bool _ownsDevice;
    readonly CudaNetwork _network;
    readonly CudaSlots _slots;
    readonly CudaBuffers _buffers;
    readonly CudaStep _step;
    readonly CudaForward _forward;
    readonly CudaGraphs _graphs;
    readonly CudaOutputs _outputs;
    readonly Action _run;

    /// <summary>Takes over a network and allocates its KV slots.</summary>
    /// <param name="device">The device, with the kernels loaded; it must outlive the runner.</param>
    /// <param name="network">The network; disposed with the runner.</param>
    /// <param name="slots">KV slots, at least 1; each costs <see cref="CudaLayout.SlotBytes"/>.</param>
    /// <param name="ownsDevice">Whether the device is disposed with the runner.</param>
    /// <exception cref="CudaException">The device's memory does not hold the slots; the network stays the caller's.</exception>
    internal CudaModelRunner(ICudaDevice device, CudaNetwork network, int slots, bool ownsDevice = false)
    {
        (_device, _ownsDevice, _network) = (device, ownsDevice, network);
        _slots = new CudaSlots(device, network.Layout, slots);
        _buffers = new CudaBuffers(device, network.Layout);
        try
        {
            _buffers.Reserve((int)BitOperations.RoundUpToPowerOf2((uint)Math.Min(slots, CudaGraphs.MostRows)));
            _forward = new CudaForward(device, network, _slots, _buffers);
        }
        catch
        {
            _buffers.Dispose();
            _slots.Dispose();
            throw;
        }

        _step = new CudaStep(network.Layout, _slots.Scratch);
        _graphs = new CudaGraphs(device, _buffers);
        _outputs = new CudaOutputs(network.Layout, _buffers);
        _run = () => _forward.Run(_step);
    }

    /// <inheritdoc/>
    public ModelShape Shape => _network.Layout.Shape;

    /// <inheritdoc/>
    public int SlotCount => _slots.Count;

    /// <summary>Whether the kernels are made for a model.</summary>
    /// <param name="config">The model.</param>
    /// <param name="weights">Data type of the weights.</param>
    /// <param name="cache">Data type of keys and values.</param>
    /// <param name="reason">Why they are not; empty where they are.</param>
    public static bool Fits(ImageGptConfig config, ScalarType weights, ScalarType cache, out string reason)
    {
        ArgumentNullException.ThrowIfNull(config);
        reason = weights is not (ScalarType.Float32 or ScalarType.BFloat16) || cache != weights ? $"they have float32 and bfloat16, and keys and values as the weights; given {weights} and {cache}"
            : config.HeadSize > MostHeadSize ? $"they have heads of at most {MostHeadSize} numbers; this model's have {config.HeadSize}"
            : !CudaForward.Knows(config.ActivationFunction) ? $"they have no activation_function '{config.ActivationFunction}'" : "";
        return reason.Length == 0;
    }

    /// <summary>Memory of one KV slot in bytes.</summary>
    /// <param name="config">The model.</param>
    /// <param name="dtype">Float32 or BFloat16.</param>
    public static long SlotBytes(ImageGptConfig config, ScalarType dtype) => new CudaLayout(config, TorchModelRunner.ShapeOf(config, ImageGptArchitecture.Model), dtype).SlotBytes;

    /// <summary>Opens a device, compiles the kernels for it, and loads a model.</summary>
    /// <param name="ordinal">The device, from 0.</param>
    /// <param name="checkpoint">The model; read here, and not needed any more then.</param>
    /// <param name="dtype">Float32 or BFloat16.</param>
    /// <param name="slots">KV slots; fewer where the device's memory holds no more, at least 1.</param>
    /// <param name="progress">Told the share of the weights that is there, 0 … 1.</param>
    /// <exception cref="InvalidOperationException">There is no such device: says why.</exception>
    /// <exception cref="NotSupportedException">The kernels are not made for the model: see <see cref="Fits"/>.</exception>
    /// <exception cref="CheckpointException">A weight is not finite, or its file cannot be read.</exception>
    public static CudaModelRunner Open(int ordinal, Checkpoint checkpoint, ScalarType dtype, int slots, IProgress<double>? progress = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        if (!CudaDevice.TryOpen(ordinal, out CudaDevice? device, out string reason))
            throw new InvalidOperationException($"our CUDA kernels need a CUDA device; {reason}");
        CudaNetwork? network = null;
        try
        {
            foreach (string ptx in CudaKernels.Ptx)
                device!.Load(ptx);
            network = new CudaNetwork(device!, checkpoint.Config, checkpoint.Architecture, dtype, checkpoint, progress);
            (long free, long total) = device!.Memory;
            long fitting = ((free - Math.Min(MostReserve, total / ReserveShare)) / network.Layout.SlotBytes) - 1;
            return new CudaModelRunner(device, network, (int)Math.Clamp(fitting, 1, slots), ownsDevice: true);
        }
        catch
        {
            network?.Dispose();
            device!.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The plan breaks a rule (named with the value); nothing was computed and the runner stays usable.</exception>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        ArgumentNullException.ThrowIfNull(plan);
        StepPlanRules.Check(plan, Shape, SlotCount);
        for (int index = 0; index < plan.Copies.Count; index++)
            _slots.Copy(plan.Copies[index]);
        if (plan.Chunks.Count == 0)
            return [];
        int bucket = CudaGraphs.BucketOf(plan.Chunks);
        _step.Take(plan.Chunks, bucket);
        _buffers.Take(_step);
        if (bucket > 0)
            _graphs.Run(bucket, _run);
        else
            _run();
        return _outputs.Finish(_step);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _graphs.Dispose();
        _buffers.Dispose();
        _slots.Dispose();
        _network.Dispose();
        if (_ownsDevice)
            _device.Dispose();
    }
}
