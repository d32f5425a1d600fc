using System.Diagnostics;
using IgptCluster.Engine;
using IgptCluster.Model;
using static TorchSharp.torch;

namespace IgptCluster.Load;

/// <summary>Loading a checkpoint whose files are in the page cache.</summary>
/// <param name="Bytes">Size of its weight file.</param>
/// <param name="ReadSeconds">Reading the file through a small buffer, one thread; median.</param>
/// <param name="LoadSeconds">Opening, checking, hashing and packing all weights; median.</param>
internal sealed record LoadingResult(long Bytes, double ReadSeconds, double LoadSeconds);

/// <summary>Makes the runner that the silo would choose, and measures how long its weights take.</summary>
internal sealed class Loading(string folder, string device, ScalarType dtype, ScalarType cache)
{
    const int Buffer = 1 << 20;

    internal LoadingResult Measure(int rounds)
    {
        string file = Path.Combine(folder, "model.safetensors");
        (var reads, var loads) = (new List<double>(), new List<double>());
        for (int round = -1; round < rounds; round++)
        {
            var watch = Stopwatch.StartNew();
            Read(file);
            double read = watch.Elapsed.TotalSeconds;
            watch.Restart();
            using IDisposable network = Network();
            if (round >= 0)
            {
                reads.Add(read);
                loads.Add(watch.Elapsed.TotalSeconds);
            }
        }

        return new LoadingResult(new FileInfo(file).Length, Statistics.Median(reads), Statistics.Median(loads));
    }

    internal IModelRunner CreateRunner(int slots) => Network() switch
    {
        CpuNetwork own => new CpuModelRunner(own, new CpuRunnerOptions { Slots = slots, KeyValueType = cache }),
        IDisposable plain => new TorchModelRunner((ImageGpt)plain, new TorchRunnerOptions { Slots = slots }),
    };

    IDisposable Network()
    {
        using Checkpoint checkpoint = Checkpoint.Open(folder);
        IDisposable network = device == "cpu" && CpuNetwork.Fits(checkpoint.Config)
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
