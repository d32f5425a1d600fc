using IgptCluster.Imaging.Decoding;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using TorchSharp;

namespace IgptCluster.Training.Tests;

/// <summary>The whole road by its commands, on a network that is too small to learn much.</summary>
public sealed class CommandTests
{
    static readonly string[] Small = ["--layers", "1", "--width", "16", "--heads", "2", "--batch", "4", "--warmup", "2"];

    [Fact]
    public async Task Commands_OneAfterAnother_MakeACheckpointAHeadAndAClassifier()
    {
        using var folder = new TemporaryFolder();
        await RunAsync("shapes", "--out", folder["shapes"], "--side", "16", "--train", "12", "--validation", "2", "--test", "3", "--seed", "1");
        await RunAsync("palette", "--data", folder["shapes/train"], "--out", folder["palette"], "--colours", "16", "--side", "8", "--batches", "20");
        string[] pretrain =
        [
            "pretrain", "--data", folder["shapes/train"], "--held-out", folder["shapes/validation"], "--palette", folder["palette"], "--out", folder["model"],
            "--steps", "6", "--evaluate-every", "3", "--sample-every", "3", "--save-every", "2", .. Small,
        ];
        await RunAsync(pretrain);
        await RunAsync("probe", "--model", folder["model"], "--data", folder["shapes/train"], "--test", folder["shapes/test"], "--out", folder["probe"], "--per-class", "10", "--random");
        Assert.Equal(2, await TrainingApplication.RunAsync(["probe", "--model", folder["model"], "--data", folder["shapes/train"], "--test", folder["shapes/test"], "--out", folder["probe"], "--name", "../x"]));
        await RunAsync(
            "finetune", "--model", folder["model"], "--data", folder["shapes/train"], "--held-out", folder["shapes/test"], "--out", folder["classifier"], "--steps", "3", "--batch", "4", "--dtype", "bf16");
        await RunAsync("eval", "--model", folder["model"], "--data", folder["shapes/test"], "--baseline", folder["shapes/train"], "--sheet", "3", "--samples", "1", "--out", folder["loss"]);
        await RunAsync("eval", "--model", folder["model"], "--head", folder["probe/heads/probe.json"], "--data", folder["shapes/test"], "--out", folder["head"]);
        await RunAsync("eval", "--model", folder["classifier"], "--data", folder["shapes/test"], "--out", folder["classes"]);

        await RunAsync("draft", "--model", folder["model"], "--samples", "3");
        int drawn = DraftFile.Read(folder["model"], 16)!.ContextCount;
        await RunAsync("draft", "--model", folder["model"], "--data", folder["shapes/train"], "--samples", "4");
        Assert.True(drawn > 0 && DraftFile.Read(folder["model"], 16)!.ContextCount > 0);
        Assert.Equal(1, await TrainingApplication.RunAsync(["draft", "--model", folder["classifier"]]));
        await RunAsync("export", "--model", folder["model"], "--head", folder["probe/heads/probe.json"], "--out", folder["export"]);

        foreach (string picture in new[] { "shapes/overview.png", "palette/palette.png", "palette/quantised.png", "model/loss.png", "model/samples/0000003.png", "probe/probe.png", "loss/completions.png", "head/confusion.png", "classes/confusion.png" })
            Assert.True(ImageDecoder.Decode(File.ReadAllBytes(folder[picture])).Width > 30, picture);
        using var pretrained = Checkpoint.Open(folder["model"]);
        Assert.Equal(ImageGptArchitecture.CausalImageModeling, pretrained.Architecture);
        using var exported = Checkpoint.Open(folder["export"]);
        Assert.Equal(torch.ScalarType.Float16, exported.Tensors["wte.weight"].DType);
        Assert.Contains("\"probe_layer\"", exported.ConfigJson, StringComparison.Ordinal);
        Assert.Equal(File.ReadAllText(folder["probe/heads/probe.json"]), File.ReadAllText(folder["export/heads/probe.json"]));
        using var classifier = Checkpoint.Open(folder["classifier"]);
        Assert.Equal(ImageGptArchitecture.ImageClassification, classifier.Architecture);
        Assert.Contains("target", classifier.Config.Labels);
        Assert.Equal(6 + 3, File.ReadLines(folder["model/log.jsonl"]).Count());
    }

    [Fact]
    public async Task Pretrain_ResumedOrRepeated_KeepsToItsRules()
    {
        using var folder = new TemporaryFolder();
        await RunAsync("shapes", "--out", folder["shapes"], "--side", "16", "--train", "2", "--validation", "0", "--test", "0");
        await RunAsync("palette", "--data", folder["shapes/train"], "--out", folder["palette"], "--colours", "8", "--side", "4", "--batches", "2");
        string[] pretrain = ["pretrain", "--data", folder["shapes/train"], "--palette", folder["palette"], "--out", folder["model"], "--steps", "2", .. Small];
        Assert.Equal(1, await TrainingApplication.RunAsync([.. pretrain, "--resume"]));
        await RunAsync(pretrain);
        byte[] weights = File.ReadAllBytes(folder["model/model.safetensors"]);
        Assert.Equal(1, await TrainingApplication.RunAsync(pretrain));
        Assert.Equal(1, await TrainingApplication.RunAsync([.. pretrain, "--resume", "--learning-rate", "0.5"]));

        // Resumed at its end there is nothing left to do, and nothing changes.
        await RunAsync([.. pretrain, "--resume"]);
        Assert.Equal(weights, File.ReadAllBytes(folder["model/model.safetensors"]));
    }

    [Fact]
    public async Task Init_SameSeed_WritesTheSameBytes()
    {
        using var folder = new TemporaryFolder();
        await RunAsync("init", "--preset", "tiny", "--seed", "3", "--out", folder["a"]);
        await RunAsync("init", "--preset", "tiny", "--seed", "3", "--out", folder["b"]);
        Assert.Equal(File.ReadAllBytes(folder["a/model.safetensors"]), File.ReadAllBytes(folder["b/model.safetensors"]));
        Assert.Equal(1, await TrainingApplication.RunAsync(["init", "--preset", "tiny", "--out", folder["a"]]));
    }

    static async Task RunAsync(params string[] args) => Assert.Equal(0, await TrainingApplication.RunAsync(args));
}
