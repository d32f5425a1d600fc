using System.Diagnostics;
using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Engine;

/// <summary>Loading a checkpoint whose files are in the page cache.</summary>
/// <param name="Bytes">Size of its weight files.</param>
/// <param name="ReadSeconds">Reading the files through a small buffer, one thread; median.</param>
/// <param name="LoadSeconds">Opening, checking, hashing and packing all weights; median.</param>
internal sealed record LoadingResult(long Bytes, double ReadSeconds, double LoadSeconds);

/// <summary>Makes the runner that the silo would choose, and measures how long its weights take.</summary>
internal sealed class Loading(string folder, string device, string runner, ScalarType dtype, ScalarType cache)
{
    const int Buffer = 1 << 20;
    const long Reserve = 4L << 30; // of a device's memory, for what steps and products need besides

    internal LoadingResult Measure(int rounds)
    {
        string[] files = Directory.GetFiles(folder, "*.safetensors");
        (var reads, var loads) = (new List<double>(), new List<double>());
        for (int round = -1; round < rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            Array.ForEach(files, Read);
            double read = watch.Elapsed.TotalSeconds;
            watch.Restart();
            using IDisposable network = Network(slots: 1);
            if (round >= 0)
            {
                reads.Add(read);
                loads.Add(watch.Elapsed.TotalSeconds);
            }
        }

        return new LoadingResult(files.Sum(file => new FileInfo(file).Length), Statistics.Median(reads), Statistics.Median(loads));
    }

    /// <summary>A runner with so many KV slots, or with fewer where the device's memory holds no more.</summary>
    internal IModelRunner CreateRunner(int slots) => Network(slots) switch
    {
        CudaModelRunner own => own,
        CpuNetwork own => new CpuModelRunner(own, new CpuRunnerOptions { Slots = slots, KeyValueType = cache }),
        ImageGpt plain => new TorchModelRunner(plain, new TorchRunnerOptions { Slots = Fitting(slots, plain) }),
        _ => throw new UnreachableException(),
    };

    int Fitting(int slots, ImageGpt network)
    {
        if (device == "cpu")
            return slots;
        if (!CudaDevice.TryOpen(0, out CudaDevice? memory, out string reason))
            throw new InvalidOperationException($"--device cuda needs a CUDA device; {reason}");
        using (memory)
            return (int)Math.Clamp((memory!.Memory.Free - Reserve) / TorchModelRunner.SlotBytes(network.Config, network.Dtype), 1, slots);
    }

    IDisposable Network(int slots)
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        IDisposable network = device == "cuda" && runner == "own" ? CudaModelRunner.Open(0, checkpoint, dtype, slots)
            : device == "cpu" && CpuNetwork.Fits(checkpoint.Config)
            ? new CpuNetwork(checkpoint.Config, checkpoint.Architecture, dtype, checkpoint)
            : new ImageGpt(checkpoint.Config, checkpoint.Architecture, name => checkpoint.Load(name, ScalarType.Float32), new Device(device), dtype);
        _ = checkpoint.ComputeVersion();
        return network;
    }

    static void Read(string file)
    {
        using FileStream stream = new(file, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        byte[] buffer = new byte[Buffer];
        while (stream.Read(buffer) > 0)
        {
        }
    }
}
