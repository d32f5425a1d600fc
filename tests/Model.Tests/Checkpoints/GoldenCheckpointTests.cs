using System.Diagnostics;
using System.Text.Json;
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

    [Fact]
    public void Open_MalformedCheckpoints_BehaveAsTheManifestExpects()
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
            process.Refresh();
            long before = process.PeakWorkingSet64;
            string? problem = Try(folder);
            process.Refresh();
            tried++;
            refused += problem is null ? 0 : 1;
            string expected = given.GetProperty("expect").GetString()!;
            if ((expected == "reject" && problem is null) || (expected == "accept" && problem is not null))
            {
                wrong.Add($"{name} ({given.GetProperty("why")}): {problem ?? "opened"}");
            }

            Assert.True(process.PeakWorkingSet64 - before < Gibibyte, $"{name}: took more than 1 GiB");
            Assert.True(marker is null || !File.Exists(marker), $"{name}: its code was run");
            Assert.True(problem is null || problem.Length > 20, $"{name}: says too little: {problem}");
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{tried} folders, {refused} refused");
        Assert.True(wrong.Count == 0, string.Join("\n", wrong));
        Assert.True(tried > 0, "the golden set has no malformed model");
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

    /// <summary>Opens and loads everything; gives the reason for a refusal, and lets anything else through as the failure it is.</summary>
    static string? Try(string folder, string? file = null)
    {
        try
        {
            using Checkpoint checkpoint = Checkpoint.Open(folder, file);
            foreach (string name in checkpoint.Tensors.Keys)
            {
                using Tensor weight = checkpoint.Load(name, ScalarType.Float32);
                Assert.Equal(checkpoint.Tensors[name].Shape, weight.shape);
            }

            return null;
        }
        catch (CheckpointException refused)
        {
            return refused.Message;
        }
    }

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

                using Tensor loaded = tensor.Load(tensor.DType);
                Assert.Equal(stored.Shape(storedName), loaded.shape);
                Assert.True(loaded.bytes.SequenceEqual(stored.Bytes(storedName)), $"{folder}: {name} differs");
            }
        }
    }
}
