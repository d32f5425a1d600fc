using IgptCluster.Contracts;
using IgptCluster.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Files;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using IgptCluster.Hosting;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cuda;

namespace IgptCluster.Silo.Replicas;

/// <summary>Starts engines on this silo's devices. Any thread.</summary>
internal sealed partial class DeviceReplicaHost(ReplicaOptions options, SiloAdvertisement advertisement, TimeProvider time, ILoggerFactory loggers) : IReplicaHost
{
    const int MostSlots = 64;
    const int MostCudaSlots = 256; // the largest step that is one graph
    const int SlotsPerThread = 8;
    const int MemoryShare = 4; // KV slots of one replica take a quarter of it at most

    readonly ILogger _logger = loggers.CreateLogger<DeviceReplicaHost>();
    readonly Lock _lock = new();
    readonly DeviceBudget[] _devices = [.. advertisement.Devices.Select(device => new DeviceBudget(device, options.MaxReplicasPerDevice, () => DeviceMemory.Of(device)))];

    public SiloAdvertisement Advertisement { get; } = advertisement;

    /// <summary>The devices that models run on.</summary>
    internal static string[] Devices(ReplicaOptions options)
    {
        if (options.Device == "cpu")
        {
            return ["cpu"];
        }

        int count = CudaDevices.Count(out string reason);
        if (count == 0 && options.Device == "cuda")
        {
            throw new InvalidOperationException($"--device cuda needs a CUDA device and its driver: {reason}. Pass the device into the container (NVIDIA container toolkit), or use --device cpu");
        }

        return count == 0 ? ["cpu"] : [.. Enumerable.Range(0, count).Select(i => $"cuda:{i}")];
    }

    public ReplicaEngine Start(ReplicaId replica, ModelDeployment deployment)
    {
        ServedCheckpoint served = Checkpoint(replica.Model, deployment);
        DeviceBudget budget = Take();
        string device = budget.Device;
        var loaded = new TaskCompletionSource<LoadedModel>(TaskCreationOptions.RunContinuationsAsynchronously);
        var progress = new LoadProgress();
        IDrafter? drafter = null;
        var loop = new EngineLoop(
            new EngineOptions
            {
                MaxBatchTokens = options.MaxBatchTokens,
                DecodeStretch = options.DecodeStretch,
                MaxWaiting = options.MaxWaiting,
                MaxWaitingTokens = options.MaxWaitingTokens,
                StepTimeout = options.StepTimeout,
                SharesPrefixesAcrossClients = options.SharesPrefixesAcrossClients,
            },
            () =>
            {
                (IModelRunner runner, drafter) = Load(served, deployment.Version, budget, loaded, progress);
                return runner;
            },
            time,
            loggers.CreateLogger<EngineLoop>(),
            () => drafter);
        return new ReplicaEngine(loop, device, options.TypesOf(served).DType, StartAsync(loop, loaded.Task, device), progress, budget.Leave);
    }

    public async Task<SiloRoom> CheckAsync(string model, ModelDeployment deployment)
    {
        ServedCheckpoint served = Checkpoint(model, deployment);
        try
        {
            // Files are read on a thread that may wait for them.
            return await Task.Run(() => Room(served));
        }
        catch (Exception failure) when (failure is CheckpointException or InvalidOperationException or IOException or UnauthorizedAccessException)
        {
            throw new IgptException(IgptErrorCode.InvalidArgument, $"source: silo '{Advertisement.Name}' cannot load it: {failure.Message}") { Field = "source" };
        }
    }

    /// <summary>On a thread that may wait for the driver.</summary>
    public Task<DeviceStatus[]> DevicesAsync() => Task.Run(() => Advertisement.Devices.Select(DeviceDescription.Of).ToArray());

    SiloRoom Room(ServedCheckpoint served)
    {
        Check(options, served, [.. _devices.Select(device => device.Device)]);
        using Checkpoint checkpoint = CheckpointLoader.Open(served.Path);
        SiloRoom[] rooms = [.. _devices.Select(device => device.Room(MemoryOf(checkpoint, RunnerChoice.For(checkpoint.Config, device.Device, options, served), device.Device)))];
        return new SiloRoom(rooms.Sum(room => room.Replicas), string.Join(", ", rooms.Select(room => room.Explanation).Distinct()));
    }

    EngineMemory MemoryOf(Checkpoint checkpoint, RunnerChoice choice, string device) =>
        new(choice.WeightBytes(checkpoint.Architecture), options.Slots ?? SlotsFor(choice.SlotBytes, device), choice.SlotBytes);

    /// <summary>A broken folder and types that no runner has are told before anything is started.</summary>
    /// <param name="options">The silo's settings.</param>
    /// <param name="served">The model.</param>
    /// <param name="devices">The devices it is to run on.</param>
    /// <exception cref="CheckpointException">The folder breaks a rule.</exception>
    /// <exception cref="InvalidOperationException">No runner has its types.</exception>
    internal static void Check(ReplicaOptions options, ServedCheckpoint served, IReadOnlyList<string> devices)
    {
        using Checkpoint checkpoint = CheckpointLoader.Open(served.Path);
        foreach (string device in devices)
        {
            _ = RunnerChoice.For(checkpoint.Config, device, options, served);
        }
    }

    ServedCheckpoint Checkpoint(string model, ModelDeployment deployment)
    {
        ServedCheckpoint? own = options.Models.FirstOrDefault(one => one.ServedName == model);
        if (deployment.Source.Length == 0 && own is null)
        {
            throw new IgptException(IgptErrorCode.ModelNotFound, $"this silo has no weights of model '{model}'");
        }

        return new ServedCheckpoint
        {
            Name = model,
            Path = deployment.Source.Length > 0 ? deployment.Source : own!.Path,
            DType = deployment.DType.Length > 0 ? deployment.DType : deployment.Source.Length > 0 ? null : own!.DType,
            KvDType = deployment.KvDType.Length > 0 ? deployment.KvDType : deployment.Source.Length > 0 || deployment.DType.Length > 0 ? null : own!.KvDType,
        };
    }

    /// <summary>On the engine's thread: reads the weights and allocates the KV slots.</summary>
    (IModelRunner Runner, IDrafter? Drafter) Load(ServedCheckpoint served, string version, DeviceBudget budget, TaskCompletionSource<LoadedModel> loaded, LoadProgress progress)
    {
        long started = time.GetTimestamp();
        using Checkpoint checkpoint = CheckpointLoader.Open(served.Path);
        RunnerChoice choice = RunnerChoice.For(checkpoint.Config, budget.Device, options, served);
        EngineMemory wanted = MemoryOf(checkpoint, choice, budget.Device);
        using MemoryPromise promise = budget.Promise(wanted, choice.CanShrink);
        LogChosen(served.ServedName, budget.Device, choice.Name, choice.Reason);
        IDrafter? drafter = Drafter(checkpoint, choice);
        IModelRunner runner = choice.Create(checkpoint, promise.Memory.Slots, (options.Threads, options.PinThreads), progress);
        try
        {
            // Weights that have been read are hashed.
            loaded.TrySetResult(Describe(checkpoint, served, version));
        }
        catch
        {
            runner.Dispose();
            throw;
        }

        LogLoaded(served.ServedName, budget.Device, time.GetElapsedTime(started).TotalSeconds, choice.Name, runner.SlotCount, choice.SlotBytes >> 10);
        if (runner.SlotCount < wanted.Slots)
        {
            LogShrunk(served.ServedName, budget.Device, runner.SlotCount, wanted.Slots);
        }

        return (runner, drafter);
    }

    /// <summary>What guesses a model's tokens; nothing where it makes none, and where a token's bits could depend on what else its step computes.</summary>
    ContextDrafter? Drafter(Checkpoint checkpoint, RunnerChoice choice)
    {
        if (options.Drafter == ReplicaOptions.NoDrafter || !choice.IsRowInvariant || checkpoint.Architecture != ImageGptArchitecture.CausalImageModeling)
        {
            return null;
        }

        ContextTable? table = null;
        try
        {
            table = DraftFile.Read(checkpoint.Folder, checkpoint.Config.VocabSize - 1);
        }
        catch (Exception broken) when (broken is CheckpointException or UserFileException)
        {
            // Tokens are the same without it.
            LogNoTable(broken.Message);
        }

        return new ContextDrafter(ContextDrafter.WidthOf(checkpoint.Config.PositionCount), table);
    }

    static LoadedModel Describe(Checkpoint checkpoint, ServedCheckpoint served, string version)
    {
        LoadedModel model = CheckpointLoader.Describe(checkpoint, served.ServedName);
        return version.Length == 0 || version == model.Description.Version
            ? model
            : throw new CheckpointException($"{served.Path}: version {version} was asked for, and its files are version {model.Description.Version}");
    }

    /// <summary>As many slots as the device can make use of: few processors are no faster with many sequences at a time. The same for every replica of a model.</summary>
    int SlotsFor(long slotBytes, string device)
    {
        int threads = options.Threads ?? Environment.ProcessorCount;
        int used = device == "cpu" ? Math.Clamp(SlotsPerThread * threads, SlotsPerThread, MostSlots) : MostCudaSlots;
        return (int)Math.Clamp(DeviceMemory.Of(device).Total / MemoryShare / slotBytes, 1, used);
    }

    async Task<LoadedModel> StartAsync(EngineLoop loop, Task<LoadedModel> loaded, string device)
    {
        try
        {
            await loop.StartAsync();
            await WarmAsync(loop);
            return await loaded;
        }
        catch (Exception failure)
        {
            LogFailed(failure, device);
            throw;
        }
    }

    /// <summary>One token through the network: what is made at first use is made before the first request.</summary>
    static async Task WarmAsync(EngineLoop loop)
    {
        var request = new EvaluationRequest { Id = new SequenceId("warm-up"), Tokens = new[] { 0 }, PooledLayers = [0] };
        if (loop.TrySubmit(request, out Task<Engine.Requests.EvaluationResult>? result) == SubmitOutcome.Accepted)
        {
            await result!;
        }
    }

    DeviceBudget Take()
    {
        lock (_lock)
        {
            DeviceBudget device = _devices.MinBy(device => device.Engines)!;
            device.Enter();
            return device;
        }
    }

    [LoggerMessage(3001, LogLevel.Information, "Model {Model} loaded on {Device} in {Seconds:0.0} s for the {Runner} runner: {Slots} KV slots of {SlotKiB} KiB")]
    partial void LogLoaded(string model, string device, double seconds, string runner, int slots, long slotKiB);

    [LoggerMessage(3003, LogLevel.Information, "Model {Model} runs on {Device} by the {Runner} runner: {Reason}")]
    partial void LogChosen(string model, string device, string runner, string reason);

    [LoggerMessage(3004, LogLevel.Warning, "Model {Model} on {Device} has {Slots} KV slots, not {Wanted}: the device's memory holds no more")]
    partial void LogShrunk(string model, string device, int slots, int wanted);

    [LoggerMessage(3005, LogLevel.Warning, "Tokens are guessed without the model's table: {Reason}")]
    partial void LogNoTable(string reason);

    [LoggerMessage(3002, LogLevel.Error, "A replica on {Device} could not load its weights")]
    partial void LogFailed(Exception failure, string device);
}
