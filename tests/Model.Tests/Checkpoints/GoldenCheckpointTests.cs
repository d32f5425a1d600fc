using System.Diagnostics;
using System.IO.Compression;
using System.Text.Json;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Checkpoints;

public sealed class GoldenCheckpointTests
{
    const long Gibibyte = 1L << 30;

    [Fact]
    public void Open_EveryGoldenModelAndWeightFile_GivesTheStoredValues()
    {
        int opened = 0;
        foreach (string folder in Directory.EnumerateDirectories(GoldenSet.PathOf("models")))
        {
            foreach (string file in (string[])["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"])
            {
                if (!File.Exists(Path.Combine(folder, file)))
                {
                    continue;
                }

                using Checkpoint checkpoint = Checkpoint.Open(folder, file);
                CompareWithSafetensors(folder, checkpoint);
                opened++;
            }
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{opened} weight files, 0 values differ");
        Assert.True(opened > 0, "the golden set has no model");
    }

    [Fact]
    public void Open_WithAndWithoutIndex_GivesTheSameVersion()
    {
        foreach (string folder in Directory.EnumerateDirectories(GoldenSet.PathOf("models")).Where(folder => File.Exists(Path.Combine(folder, "pytorch_model.bin"))))
        {
            using Checkpoint safetensors = Checkpoint.Open(folder);
            using Checkpoint bin = Checkpoint.Open(folder, "pytorch_model.bin");
            Assert.Equal(safetensors.ComputeVersion(), bin.ComputeVersion());
            Assert.Matches("^[0-9a-f]{16}$", bin.ComputeVersion());
        }
    }

    [Fact(Timeout = 120_000)]
    public async Task Open_MalformedCheckpoints_BehaveAsTheManifestExpects()
    {
        using JsonDocument manifest = GoldenSet.Json("malformed", "manifest.json");
        using var process = Process.GetCurrentProcess();
        int tried = 0;
        int refused = 0;
        var wrong = new List<string>();
        foreach (JsonElement given in manifest.RootElement.GetProperty("models").EnumerateArray())
        {
            string name = given.GetProperty("case").GetString()!;
            string folder = GoldenSet.PathOf("malformed", "models", name);
            if (name.StartsWith("pre_", StringComparison.Ordinal) || !Directory.Exists(folder))
            {
                continue;
            }

            string? marker = given.TryGetProperty("marker", out JsonElement named) ? named.GetString() : null;
            Assert.True(marker is null || !File.Exists(marker), $"{marker} is there already");
            ForgetPeak();
            process.Refresh();
            (long before, long allocated) = (process.WorkingSet64, GC.GetTotalAllocatedBytes());
            string? problem = await Task.Run(() => Try(folder), TestContext.Current.CancellationToken);
            process.Refresh();
            tried++;
            refused += problem is null ? 0 : 1;
            string expected = given.GetProperty("expect").GetString()!;
            if ((expected == "reject" && problem is null) || (expected == "accept" && problem is not null))
            {
                wrong.Add($"{name} ({given.GetProperty("why")}): {problem ?? "opened"}");
            }

            Assert.True(process.PeakWorkingSet64 - before < Gibibyte, $"{name}: took more than 1 GiB");
            Assert.True(GC.GetTotalAllocatedBytes() - allocated < Gibibyte, $"{name}: allocated more than 1 GiB");
            Assert.True(problem is null || FilesOf(folder).Any(file => problem.Contains(file, StringComparison.Ordinal)), $"{name}: names no file: {problem}");
            Assert.True(marker is null || !File.Exists(marker), $"{name}: its code was run");
            Assert.True(problem is null || problem.Length > 20, $"{name}: says too little: {problem}");
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{tried} folders, {refused} refused");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(tried > 0, "the golden set has no malformed model");
    }

    [Fact]
    public void Open_SmallViewOfALargeStorage_IsRefusedBeforeItIsInflated()
    {
        string folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;
        try
        {
            File.Copy(Path.Combine(GoldenSet.Bundled, "models", "tied-17", "config.json"), Path.Combine(folder, "config.json"));
            const int Count = 40 << 20;
            using (ZipArchive zip = ZipFile.Open(Path.Combine(folder, "pytorch_model.bin"), ZipArchiveMode.Create))
            {
                using (Stream pickle = zip.CreateEntry("archive/data.pkl").Open())
                {
                    pickle.Write(PickleOfOneValue("wte.weight", Count));
                }

                using Stream storage = zip.CreateEntry("archive/data/0", CompressionLevel.Fastest).Open();
                byte[] zeros = new byte[1 << 20];
                for (int written = 0; written < Count * sizeof(float); written += zeros.Length)
                {
                    storage.Write(zeros);
                }
            }

            long before = GC.GetTotalAllocatedBytes();
            string? problem = Try(folder);
            Assert.Equal("pytorch_model.bin: storage '0' must have at most 4 times the 4 bytes of its tensors; given 167772160: save clones of them (tensor.clone())", problem);
            Assert.True(GC.GetTotalAllocatedBytes() - before < Count, "the storage was inflated");
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Open_DamagedFiles_EitherOpensOrSaysWhyNot()
    {
        string folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;
        try
        {
            var random = new Random(7);
            int refused = 0;
            int opened = 0;
            foreach (string source in Directory.EnumerateDirectories(GoldenSet.PathOf("models")).Where(source => File.Exists(Path.Combine(source, "pytorch_model.bin"))))
            {
                File.Copy(Path.Combine(source, "config.json"), Path.Combine(folder, "config.json"), overwrite: true);
                foreach (string file in (string[])["model.safetensors", "pytorch_model.bin"])
                {
                    if (!File.Exists(Path.Combine(source, file)))
                    {
                        continue;
                    }

                    byte[] original = File.ReadAllBytes(Path.Combine(source, file));
                    for (int round = 0; round < 30; round++)
                    {
                        // Most damage in the first part, where the structure is.
                        byte[] damaged = random.Next(4) == 0 ? original[..random.Next(original.Length)] : (byte[])original.Clone();
                        for (int flips = random.Next(1, 6); flips > 0 && damaged.Length > 0; flips--)
                        {
                            damaged[random.Next(Math.Min(damaged.Length, random.Next(2) == 0 ? 400 : damaged.Length))] ^= (byte)(1 << random.Next(8));
                        }

                        File.WriteAllBytes(Path.Combine(folder, file), damaged);
                        _ = Try(folder, file) is null ? opened++ : refused++;
                    }
                }
            }

            TestContext.Current.TestOutputHelper!.WriteLine($"{opened} opened, {refused} refused");
            Assert.True(refused > 0);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Begins the peak anew where the system can: else one before hides all that follow it.</summary>
    static void ForgetPeak()
    {
        if (OperatingSystem.IsLinux())
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
    }

    /// <summary>What a message can name: the folder, a file in it, or one that is missing.</summary>
    static IEnumerable<string> FilesOf(string folder) =>
        ["config.json", "model.safetensors", "pytorch_model.bin", folder, .. Directory.EnumerateFiles(folder).Select(file => Path.GetFileName(file))];

    /// <summary>Opens and loads everything; gives the reason for a refusal, and lets anything else through as the failure it is.</summary>
    static string? Try(string folder, string? file = null)
    {
        try
        {
            using Checkpoint checkpoint = Checkpoint.Open(folder, file);
            foreach (string name in checkpoint.Tensors.Keys)
            {
                using Tensor weight = LoadAndRead(checkpoint, name);
                Assert.Equal(checkpoint.Tensors[name].Shape, weight.shape);
            }

            return null;
        }
        catch (CheckpointException refused)
        {
            return refused.Message;
        }
    }

    /// <summary>A weight as a tensor, after the other way to read it gave the same or refused for the same reason.</summary>
    static Tensor LoadAndRead(Checkpoint checkpoint, string name)
    {
        float[] all = new float[checkpoint.Tensors[name].Shape.Aggregate(1L, (count, size) => count * size)];
        try
        {
            checkpoint.Read(name, 0, all);
        }
        catch (CheckpointException refused)
        {
            Assert.Equal(refused.Message, Assert.Throws<CheckpointException>(() => checkpoint.Load(name, ScalarType.Float32)).Message);
            throw;
        }

        Tensor weight = checkpoint.Load(name, ScalarType.Float32);
        Assert.Equal(weight.data<float>().ToArray(), all);
        float[] part = new float[all.Length / 3];
        checkpoint.Read(name, all.Length / 2, part);
        Assert.Equal(all[(all.Length / 2)..((all.Length / 2) + part.Length)], part);
        return weight;
    }

    /// <summary>A state dictionary with one tensor [1] over a storage of so many floats.</summary>
    static byte[] PickleOfOneValue(string name, int count) =>
    [
        0x80, 2, .. "}"u8, .. Text(name), .. "ctorch._utils\n_rebuild_tensor_v2\n(("u8, .. Text("storage"), .. "ctorch\nFloatStorage\n"u8, .. Text("0"), .. Text("cpu"),
        .. "J"u8, .. BitConverter.GetBytes(count), .. "tQ"u8, .. "K\0"u8, .. "K\u0001"u8, 0x85, .. "K\u0001"u8, 0x85, 0x89, .. "}tRs."u8,
    ];

    static byte[] Text(string text) => [.. "X"u8, .. BitConverter.GetBytes(text.Length), .. System.Text.Encoding.ASCII.GetBytes(text)];

    static void CompareWithSafetensors(string folder, Checkpoint checkpoint)
    {
        foreach (GoldenTensors stored in Directory.EnumerateFiles(folder, "*.safetensors").Select(file => new GoldenTensors(file)))
        {
            foreach (string storedName in stored.Names)
            {
                string name = storedName.Replace("transformer.", "", StringComparison.Ordinal);
                if (!checkpoint.Tensors.TryGetValue(name, out CheckpointTensor? tensor))
                {
                    Assert.Contains(name, checkpoint.Ignored);
                    continue;
                }

                LoadAndRead(checkpoint, name).Dispose();
                using Tensor loaded = tensor.Load(tensor.DType);
                Assert.Equal(stored.Shape(storedName), loaded.shape);
                Assert.True(loaded.bytes.SequenceEqual(stored.Bytes(storedName)), $"{folder}: {name} differs");
            }
        }
    }
}
