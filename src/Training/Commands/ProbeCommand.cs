using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using IgptCluster.CommandLine;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Probing;
using IgptCluster.Training.Reports;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train probe</c>: how well each layer's features tell classes, and the best one's classifier as a head.</summary>
internal sealed partial class ProbeCommand : Command
{
    readonly Option<DirectoryInfo> _model = new("--model") { Description = "Checkpoint folder.", Required = true };
    readonly Option<DirectoryInfo> _data = new("--data") { Description = "Folder of labelled training images, class/name.png.", Required = true };
    readonly Option<DirectoryInfo> _test = new("--test") { Description = "Folder of test images of the same classes; they choose nothing.", Required = true };
    readonly Option<DirectoryInfo> _output = new("--out") { Description = "Folder to write: heads/NAME.json, probe.json, probe.png.", Required = true };
    readonly Option<int> _perClass = NumberOption.Create("--per-class", "Labelled images of each class, drawn by seed.", 500, 5, int.MaxValue);
    readonly Option<int> _layer = NumberOption.Create("--layer", "The one hidden state to probe; -1 for all.", -1, -1, 1000);
    readonly Option<string> _name = new("--name") { Description = "Name of the head. Default probe.", DefaultValueFactory = _ => "probe" };
    readonly Option<bool> _random = new("--random") { Description = "Probes the same network before training too." };
    readonly Option<int> _seed = NumberOption.Create("--seed", "Seed of what is drawn, and of the network before training.", 0, 0, int.MaxValue);

    internal ProbeCommand()
        : base("probe", "Fits linear classifiers to the features of one or all layers.")
    {
        _name.Validators.Add(result =>
        {
            if (!HeadName().IsMatch(result.GetValueOrDefault<string>() ?? ""))
                result.AddError($"--name must be 1 to 64 letters, digits, '.', '_' or '-', a letter or digit first; given '{result.GetValueOrDefault<string>()}'");
        });
        foreach (Option option in new Option[] { _model, _data, _test, _output, _perClass, _layer, _name, _random, _seed })
            Add(option);
        this.Does(Run);
    }

    int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        LibTorch.Prepare();
        using Checkpoint checkpoint = Checkpoint.Open(parsed.GetRequiredValue(_model).FullName);
        ImageProcessor processor = ModelFiles.Processor(checkpoint.Folder, out _);
        processor.RequireFit(checkpoint.Config.VocabSize - 1, checkpoint.Config.PositionCount);
        int layers = checkpoint.Config.LayerCount;
        int[] probed = parsed.GetValue(_layer) switch
        {
            -1 => [.. Enumerable.Range(0, layers + 1)],
            int layer when layer <= layers => [layer],
            int layer => throw new DataException($"--layer must be 0 to {layers}, the model's n_layer; given {layer}"),
        };
        int seed = parsed.GetValue(_seed);
        TokenDataset training = Loading.Load(parsed.GetRequiredValue(_data).FullName, processor, needsClasses: true, cancellationToken).Sample(parsed.GetValue(_perClass), seed);
        TokenDataset test = Loading.Load(parsed.GetRequiredValue(_test).FullName, processor, needsClasses: true, cancellationToken);
        test.RequireClasses(training.Classes, parsed.GetRequiredValue(_test).FullName);

        using ImageGpt network = ModelFiles.Network(checkpoint);
        var untrained = new StartWeights(checkpoint.Config, checkpoint.Architecture, processor, null, seed);
        using ImageGpt? random = parsed.GetValue(_random) ? new ImageGpt(checkpoint.Config, checkpoint.Architecture, untrained.Load) : null;
        (ProbeReport report, HeadFile head) = new ProbeRun(training, test, processor, seed).Probe(network, probed, random, parsed.GetRequiredValue(_name), cancellationToken);
        string folder = Directory.CreateDirectory(parsed.GetRequiredValue(_output).FullName).FullName;

        // In a folder of their own, as a checkpoint holds them: a head may be named as the report is.
        string file = Path.Combine(Directory.CreateDirectory(Path.Combine(folder, "heads")).FullName, $"{head.Head}.json");
        head.Write(file);
        File.WriteAllText(Path.Combine(folder, "probe.json"), JsonSerializer.Serialize(report, CommandRun.Indented) + "\n");
        File.WriteAllBytes(Path.Combine(folder, "probe.png"), LayerChart.Draw(report));
        Print(report, file);
        return 0;
    }

    static void Print(ProbeReport report, string file)
    {
        Write($"{report.TrainingImages:N0} labelled images of {report.Classes.Count} classes, {report.TestImages:N0} test images");
        Write($"layer  held out  test{(report.RandomWeights is null ? "" : "     random weights, test")}");
        foreach (LayerProbe probe in report.Layers)
        {
            LayerProbe? random = report.RandomWeights?.First(other => other.Layer == probe.Layer);
            Write($"{probe.Layer,5}  {probe.HeldOut,8:P1}  {probe.Test,6:P1}{(random is null ? "" : $"   {random.Test,6:P1}")}{(probe.Layer == report.BestLayer ? "   best on what was held out" : "")}");
        }

        Write($"Quantised pixels: {report.Pixels:P1}");
        Write($"From {report.FewPerClass} labelled images of each class: layer {report.BestLayer} {report.FewLabels:P1}, quantised pixels {report.FewLabelsPixels:P1}");
        Write($"Wrote the head of layer {report.BestLayer} to {file}; load it with: igpt models put-head {file}");
    }

    static void Write(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    // As the cluster takes them.
    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\z")]
    private static partial Regex HeadName();
}
