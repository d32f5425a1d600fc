using System.CommandLine;
using System.Globalization;
using System.Text.Json.Nodes;
using IgptCluster.CommandLine;
using IgptCluster.Files;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Probing;
using static TorchSharp.torch;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train export</c>: a checkpoint folder to hand on, with its heads and card, in another number type.</summary>
internal sealed class ExportCommand : Command
{
    readonly Option<DirectoryInfo> _model = new("--model") { Description = "Checkpoint folder.", Required = true };
    readonly Option<DirectoryInfo> _output = new("--out") { Description = "Folder to write.", Required = true };
    readonly Option<string> _dtype = ChoiceOption.CreateDataType("--dtype", "Data type of the weights:", "float16", "float32", "float16", "bfloat16");
    readonly Option<FileInfo[]> _heads = new("--head") { Description = "Head file to put into heads/; can be given several times. The first one's layer becomes probe_layer.", DefaultValueFactory = _ => [] };
    readonly Option<FileInfo?> _card = new("--card") { Description = "Model card, written as README.md. Default: the checkpoint's." };
    readonly Option<bool> _force = new("--force") { Description = "Writes into a folder that is not empty." };

    internal ExportCommand()
        : base("export", "Writes a checkpoint to hand on: number type, heads, card.")
    {
        foreach (Option option in new Option[] { _model, _output, _dtype, _heads, _card, _force })
            Add(option);
        this.Does((parsed, _) => Run(parsed));
    }

    int Run(ParseResult parsed)
    {
        LibTorch.Prepare();
        DirectoryInfo folder = parsed.GetRequiredValue(_output);
        CommandRun.RequireEmpty(folder, parsed.GetValue(_force));
        using Checkpoint checkpoint = Checkpoint.Open(parsed.GetRequiredValue(_model).FullName);
        FileInfo[] files = parsed.GetRequiredValue(_heads);
        HeadFile[] heads = [.. files.Select(file => HeadFile.Read(file.FullName, checkpoint.Config.LayerCount, checkpoint.Config.EmbeddingSize))];
        if (heads.GroupBy(head => head.Head).FirstOrDefault(same => same.Count() > 1) is { } twice)
            throw new DataException($"--head: names must differ; given '{twice.Key}' twice: probe again with another --name");
        ScalarType dtype = parsed.GetRequiredValue(_dtype) switch { "float32" => ScalarType.Float32, "bfloat16" => ScalarType.BFloat16, _ => ScalarType.Float16 };
        var content = new CheckpointContent
        {
            Config = checkpoint.Config,
            Architecture = checkpoint.Architecture,
            DType = dtype,
            PreprocessorJson = checkpoint.PreprocessorJson,
            Card = parsed.GetValue(_card) is { } card ? UserFile.ReadText(card.FullName, Checkpoint.MaxCardBytes) : checkpoint.Card,
        };
        CheckpointWriter.Write(folder.FullName, content, weight => checkpoint.Load(weight.Name, ScalarType.Float32));
        WriteHeads(folder.FullName, heads);
        long bytes = new FileInfo(Path.Combine(folder.FullName, "model.safetensors")) is { Exists: true } weights ? weights.Length : 0;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Wrote {folder.FullName}: {CheckpointWriter.NameOf(dtype)}, {bytes:N0} bytes of weights, {heads.Length} head(s)"));
        return 0;
    }

    // probe_layer is a field of this project's that Hugging Face ignores: the layer that Embed reads where none is asked for.
    static void WriteHeads(string folder, HeadFile[] heads)
    {
        if (heads.Length == 0)
            return;
        Directory.CreateDirectory(Path.Combine(folder, "heads"));
        foreach (HeadFile head in heads)
            head.Write(Path.Combine(folder, "heads", $"{head.Head}.json"));
        string path = Path.Combine(folder, "config.json");
        JsonObject config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        config["probe_layer"] = heads[0].Layer;
        File.WriteAllText(path, config.ToJsonString(CommandRun.Indented) + "\n");
    }
}
