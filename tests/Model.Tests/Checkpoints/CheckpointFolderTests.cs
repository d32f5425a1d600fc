using System.Text.Json.Nodes;
using IgptCluster.Files;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Checkpoints;

/// <summary>What users have in the folders that they name: links, pipes, pointers, files that are being written.</summary>
public sealed class CheckpointFolderTests
{
    [Theory]
    [InlineData("base-513", ".safetensors")]
    [InlineData("sharded-65", ".safetensors")]
    [InlineData("tied-17", ".bin")]
    [InlineData("legacy-65", ".bin")]
    public void Open_FolderOfHuggingFacesCache_HasTheModelsVersion(string model, string pattern)
    {
        using CheckpointFolder folder = CheckpointFolder.AsHuggingFaceCache(model, pattern);
        using Checkpoint linked = Checkpoint.Open(folder.Path);
        using Checkpoint plain = Checkpoint.Open(Path.Combine(GoldenSet.Bundled, "models", model));
        Assert.Equal(plain.ComputeVersion(), linked.ComputeVersion());
        foreach (string name in plain.Tensors.Keys)
        {
            using Tensor expected = plain.Load(name, ScalarType.Float32);
            using Tensor weight = linked.Load(name, ScalarType.Float32);
            Assert.True(expected.bytes.SequenceEqual(weight.bytes), $"{name} differs");
        }
    }

    [Fact]
    public void Open_LinkToABlobThatIsNotThere_SaysSo()
    {
        using var folder = new CheckpointFolder("tied-17", "config.json", "pytorch_model.bin");
        File.CreateSymbolicLink(folder["model.safetensors"], "../../blobs/1234");
        Assert.Equal("model.safetensors: is a link to '../../blobs/1234', which is not there; download it again", folder.Refusal());
    }

    [Theory(Timeout = 60_000)]
    [InlineData("config.json")]
    [InlineData("preprocessor_config.json")]
    [InlineData("README.md")]
    [InlineData("model.safetensors")]
    [InlineData("model.safetensors.index.json")]
    [InlineData("pytorch_model.bin")]
    public async Task Open_PipeDeviceFolderOrLfsPointer_IsRefusedWithoutWaiting(string file)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "kinds of files are told apart under Linux");
        using var folder = new CheckpointFolder("tied-17", "config.json");
        if (!file.Contains("model", StringComparison.Ordinal))
        {
            File.Copy(Path.Combine(GoldenSet.Bundled, "models", "tied-17", "model.safetensors"), folder["model.safetensors"]);
        }

        folder.PutPipe(file);
        Assert.Equal($"{file}: must be a regular file; it is a pipe (FIFO)", await Task.Run(folder.Refusal, TestContext.Current.CancellationToken));
        File.Delete(folder[file]);
        File.CreateSymbolicLink(folder[file], "/dev/zero");
        Assert.Equal($"{file}: must be a regular file; it is a device", await Task.Run(folder.Refusal, TestContext.Current.CancellationToken));
        File.Delete(folder[file]);
        Directory.CreateDirectory(folder[file]);
        Assert.Equal($"{file}: must be a regular file; it is a folder", folder.Refusal());
        Directory.Delete(folder[file]);
        await File.WriteAllTextAsync(folder[file], "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 307\n", TestContext.Current.CancellationToken);
        Assert.Equal($"{file}: is a Git LFS pointer, not the file itself; fetch that with 'git lfs pull'", folder.Refusal());
    }

    [Theory]
    [InlineData("config.json")]
    [InlineData("README.md")]
    public void Open_FileWithoutEnd_IsRefused(string file)
    {
        using var folder = new CheckpointFolder("tied-17", "config.json", "model.safetensors");
        using (FileStream large = File.Open(folder[file], FileMode.OpenOrCreate))
        {
            large.SetLength(1L << 40);
        }

        Assert.Contains($"{file}: must have at most", folder.Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("base-513", "model.safetensors", false)]
    [InlineData("base-513", "model.safetensors", true)]
    [InlineData("tied-17", "pytorch_model.bin", false)]
    [InlineData("tied-17", "pytorch_model.bin", true)]
    [InlineData("legacy-65", "pytorch_model.bin", false)]
    [InlineData("legacy-65", "pytorch_model.bin", true)]
    public void Load_FileOverwrittenAfterItWasOpened_IsRefused(string model, string file, bool becomesShorter)
    {
        using var folder = new CheckpointFolder(model, "config.json", file);
        File.SetLastWriteTimeUtc(folder[file], new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        byte[] bytes = File.ReadAllBytes(folder[file]);
        File.WriteAllBytes(folder[file], becomesShorter ? [1, 2, 3] : bytes);

        // What is mapped would end the process here.
        Refused(() => checkpoint.Load("wte.weight", ScalarType.Float32).Dispose());
        Refused(() => _ = checkpoint.ComputeVersion());
        if (CpuNetwork.Fits(checkpoint.Config))
        {
            Refused(() => new CpuNetwork(checkpoint.Config, checkpoint.Architecture, ScalarType.BFloat16, checkpoint).Dispose());
        }

        void Refused(Action load) =>
            Assert.Equal($"{file}: must not be written to while it is read: it changed; read it again when it is complete", Assert.Throws<CheckpointException>(load).Message);
    }

    [Theory]
    [InlineData("base-513", "model.safetensors")]
    [InlineData("legacy-65", "pytorch_model.bin")]
    [InlineData("tied-17", "pytorch_model.bin")]
    [InlineData("sharded-65", "model-00003-of-00006.safetensors")]
    [InlineData("sharded-65", "model.safetensors.index.json")]
    [InlineData("base-513", "config.json")]
    public void Open_FileThatEndsEarly_SaysThatItIsIncomplete(string model, string file)
    {
        string golden = Path.Combine(GoldenSet.Bundled, "models", model);
        string[] others = [.. Directory.EnumerateFiles(golden).Select(path => Path.GetFileName(path)!).Where(name => name == file || !name.StartsWith(file == "pytorch_model.bin" ? "model" : "pytorch", StringComparison.Ordinal))];
        using var folder = new CheckpointFolder(model, others);
        byte[] whole = File.ReadAllBytes(folder[file]);
        int end = whole.AsSpan().TrimEnd("\n"u8).Length;
        foreach (int length in new[] { end - 1, end - 30, end * 9 / 10, end / 2, end / 10, Math.Min(100, end / 3), 12 })
        {
            File.WriteAllBytes(folder[file], whole[..length]);
            string refusal = folder.Refusal();
            Assert.StartsWith($"{file}: ", refusal, StringComparison.Ordinal);
            Assert.True(refusal.Contains(IncompleteFile.Cure, StringComparison.Ordinal), $"of {length} bytes: {refusal}");
        }

        File.WriteAllBytes(folder[file], whole);
        using var checkpoint = Checkpoint.Open(folder.Path);
    }

    [Fact]
    public void Load_FileReplacedAfterItWasOpened_ReadsWhatWasOpened()
    {
        using var folder = new CheckpointFolder("base-513", "config.json", "model.safetensors");
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        File.WriteAllText(folder["other"], "not a checkpoint");
        File.Move(folder["other"], folder["model.safetensors"], overwrite: true);
        using Checkpoint plain = Checkpoint.Open(Path.Combine(GoldenSet.Bundled, "models", "base-513"));
        Assert.Equal(plain.ComputeVersion(), checkpoint.ComputeVersion());
    }

    [Theory]
    [InlineData("U16", 4)]
    [InlineData("F8_E4M3", 4)]
    [InlineData("F4", 2)]
    [InlineData("NEWER", 3)]
    public void Open_TensorOfATypeThatIsNotRead_MattersOnlyWhereItIsUsed(string dtype, int bytes)
    {
        using var folder = new CheckpointFolder("tied-17", "config.json", "model.safetensors");
        folder.ChangeSafetensors(header => Add(header, "extra.scales", dtype, bytes), bytes);
        using (Checkpoint checkpoint = Checkpoint.Open(folder.Path))
        {
            Assert.Contains("extra.scales", checkpoint.Ignored);
            using Checkpoint plain = Checkpoint.Open(Path.Combine(GoldenSet.Bundled, "models", "tied-17"));
            Assert.Equal(plain.ComputeVersion(), checkpoint.ComputeVersion());
        }

        folder.ChangeSafetensors(header =>
        {
            header["transformer.ln_f.weight"]!["dtype"] = dtype;
            return header;
        });
        Assert.Contains($"'ln_f.weight' must be float16, bfloat16, float32 or float64; given {dtype}", folder.Refusal(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("module.", "", "all its names begin with 'module.', as nn.DataParallel and DistributedDataParallel save them: save model.module.state_dict() instead")]
    [InlineData("module.", "transformer.", "all its names begin with 'module.'")]
    [InlineData("_orig_mod.", "transformer.", "all its names begin with '_orig_mod.', as torch.compile saves them: save model._orig_mod.state_dict() instead")]
    [InlineData("module._orig_mod.", "transformer.", "all its names begin with 'module._orig_mod.'")]
    [InlineData("backbone.", "transformer.", "all its names begin with 'backbone.'")]
    public void Open_NamesWithAPrefix_NamesThePrefixAsTheCause(string prefix, string kept, string cause)
    {
        using var folder = new CheckpointFolder("tied-17", "config.json", "model.safetensors");
        folder.ChangeSafetensors(header => new JsonObject(header.Select(entry => KeyValuePair.Create(
            entry.Key == "__metadata__" ? entry.Key : prefix + entry.Key.Replace("transformer.", kept, StringComparison.Ordinal), entry.Value?.DeepClone()))));
        string refusal = folder.Refusal();
        Assert.Contains(cause, refusal, StringComparison.Ordinal);
        Assert.DoesNotContain("is missing", refusal, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Open_CausalCheckpointWithAnyLabels_IsNotRefusedForThem(bool namesItsClass)
    {
        using var folder = new CheckpointFolder("base-513", "config.json", "model.safetensors");
        folder.ChangeConfig(config =>
        {
            config["id2label"] = new JsonObject { ["1"] = "one", ["7"] = "seven" };
            config["num_labels"] = "many";
            _ = namesItsClass || config.Remove("architectures");
        });
        using Checkpoint checkpoint = Checkpoint.Open(folder.Path);
        Assert.Equal(ImageGptArchitecture.CausalImageModeling, checkpoint.Architecture);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Open_ClassifierWithBrokenLabels_IsRefused(bool namesItsClass)
    {
        using var folder = new CheckpointFolder("classifier-65", "config.json", "model.safetensors");
        folder.ChangeConfig(config =>
        {
            config["id2label"] = new JsonObject { ["0"] = "one", ["7"] = "seven" };
            _ = namesItsClass || config.Remove("architectures");
        });
        Assert.Contains("id2label: must name classes 0, 1, 2 … without gaps", folder.Refusal(), StringComparison.Ordinal);
    }

    static JsonObject Add(JsonObject header, string name, string dtype, int bytes)
    {
        long end = header.Where(entry => entry.Key != "__metadata__").Max(entry => entry.Value!["data_offsets"]![1]!.GetValue<long>());
        header[name] = new JsonObject { ["dtype"] = dtype, ["shape"] = new JsonArray(bytes / 2, 2), ["data_offsets"] = new JsonArray(end, end + bytes) };
        return header;
    }
}
