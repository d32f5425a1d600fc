using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using IgptCluster.CommandLine;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Evaluation;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Probing;
using IgptCluster.Training.Reports;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train eval</c>: the generative loss of a folder, the accuracy of a classifier or head, and completions to look at.</summary>
internal sealed class EvalCommand : Command
{
    const int BatchSize = 8;

    readonly Option<DirectoryInfo> _model = new("--model") { Description = "Checkpoint folder.", Required = true };
    readonly Option<DirectoryInfo> _data = new("--data") { Description = "Folder of images to measure on.", Required = true };
    readonly Option<int> _perClass = NumberOption.Create("--per-class", "Images of each class at most, drawn by seed.", int.MaxValue, 1, int.MaxValue);
    readonly Option<FileInfo?> _head = new("--head") { Description = "Head file to measure, over --model." };
    readonly Option<DirectoryInfo?> _baseline = new("--baseline") { Description = "Folder of training images: reports what counting their colours predicts, too." };
    readonly Option<int> _sheet = NumberOption.Create("--sheet", "Images whose lower halves to complete, on a contact sheet.", 0, 0, 10_000);
    readonly Option<int> _samples = NumberOption.Create("--samples", "Samples of each image on the sheet.", 4, 1, 100);
    readonly Option<DirectoryInfo> _output = new("--out") { Description = "Folder to write: eval.json, confusion.png, completions.png.", Required = true };
    readonly Option<int> _seed = NumberOption.Create("--seed", "Seed of what is drawn and sampled.", 0, 0, int.MaxValue);

    internal EvalCommand()
        : base("eval", "Measures a checkpoint or head on a folder of images.")
    {
        foreach (Option option in new Option[] { _model, _data, _perClass, _head, _baseline, _sheet, _samples, _output, _seed })
            Add(option);
        this.Does(Run);
    }

    int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        LibTorch.Prepare();
        using Checkpoint checkpoint = Checkpoint.Open(parsed.GetRequiredValue(_model).FullName);
        ImageProcessor processor = ModelFiles.Processor(checkpoint.Folder, out _);
        processor.RequireFit(checkpoint.Config.VocabSize - 1, checkpoint.Config.PositionCount);
        HeadFile? head = parsed.GetValue(_head) is { } file ? HeadFile.Read(file.FullName, checkpoint.Config.LayerCount, checkpoint.Config.EmbeddingSize) : null;
        bool classifies = head is not null || checkpoint.Architecture == ImageGptArchitecture.ImageClassification;
        bool generates = checkpoint.Architecture == ImageGptArchitecture.CausalImageModeling;
        if (!classifies && !generates)
            throw new DataException($"{checkpoint.Folder}: has no head of its own to measure: name a head file with --head");
        string path = parsed.GetRequiredValue(_data).FullName;
        TokenDataset data = Loading.Load(path, processor, classifies, cancellationToken).Sample(parsed.GetValue(_perClass), parsed.GetValue(_seed));
        string folder = Directory.CreateDirectory(parsed.GetRequiredValue(_output).FullName).FullName;
        using ImageGpt network = ModelFiles.Network(checkpoint);
        var results = new EvaluationResults { Images = data.Count };
        if (generates && head is null)
            results = MeasureLoss(results, network, data, processor, parsed, cancellationToken);
        if (classifies)
            results = MeasureClasses(results, network, head, data, path, folder, cancellationToken);
        if (parsed.GetValue(_sheet) > 0)
            DrawSheet(checkpoint, data, processor, parsed, folder);
        File.WriteAllText(Path.Combine(folder, "eval.json"), JsonSerializer.Serialize(results, CommandRun.Indented) + "\n");
        Console.WriteLine($"Wrote eval.json{(classifies ? ", confusion.png" : "")}{(parsed.GetValue(_sheet) > 0 ? ", completions.png" : "")} to {folder}");
        return 0;
    }

    EvaluationResults MeasureLoss(EvaluationResults results, ImageGpt network, TokenDataset data, ImageProcessor processor, ParseResult parsed, CancellationToken cancellationToken)
    {
        using (var progress = new ProgressLine("Scoring", data.Count))
        {
            double loss = data.Mean(BatchSize, (tokens, first) =>
            {
                cancellationToken.ThrowIfCancellationRequested();
                progress.Show(first + tokens.shape[0]);
                return PixelObjective.NextPixel(network, tokens, isTraining: false);
            });
            results = results with { Loss = loss, BitsPerDim = TrainingLog.BitsPerDim(loss) };
        }

        Write($"Generative loss of {data.Count:N0} images: {results.Loss:0.0000} nats per token, {results.BitsPerDim:0.0000} bits per dimension");
        if (parsed.GetValue(_baseline) is { } counted)
        {
            var counts = new CountPredictor(Loading.Load(counted.FullName, processor, needsClasses: false, cancellationToken), processor.Palette.Count);
            results = results with { UnigramLoss = counts.UnigramLoss(data), NeighbourLoss = counts.NeighbourLoss(data) };
            Write($"By counting: unigram {results.UnigramLoss:0.0000}, left and upper neighbour {results.NeighbourLoss:0.0000} nats per token; the model's is {results.Loss / results.NeighbourLoss:P0} of the better");
        }

        return results;
    }

    static EvaluationResults MeasureClasses(EvaluationResults results, ImageGpt network, HeadFile? head, TokenDataset data, string path, string folder, CancellationToken cancellationToken)
    {
        data.RequireClasses(head?.Labels ?? network.Config.Labels, path);
        ClassifierEvaluation evaluation;
        using (var progress = new ProgressLine("Classifying", data.Count))
        {
            evaluation = head is null
                ? ClassifierEvaluation.OfNetwork(network, data, BatchSize, done => progress.Show(done), cancellationToken)
                : ClassifierEvaluation.OfHead(head, network, data, BatchSize, done => progress.Show(done), cancellationToken);
        }

        File.WriteAllBytes(Path.Combine(folder, "confusion.png"), ConfusionChart.Draw(evaluation));
        Write($"Accuracy on {data.Count:N0} images of {data.Classes.Count} classes: {evaluation.Accuracy:P1}");
        for (int label = 0; label < data.Classes.Count; label++)
            Write($"  {data.Classes[label],-12} {evaluation.AccuracyOf(label):P1}");
        return results with { Accuracy = evaluation.Accuracy, AccuracyByClass = data.Classes.Index().ToDictionary(entry => entry.Item, entry => evaluation.AccuracyOf(entry.Index)) };
    }

    void DrawSheet(Checkpoint checkpoint, TokenDataset data, ImageProcessor processor, ParseResult parsed, string folder)
    {
        if (checkpoint.Architecture != ImageGptArchitecture.CausalImageModeling)
            throw new DataException($"{checkpoint.Folder}: completes no images: --sheet needs an ImageGPTForCausalImageModeling");
        int seed = parsed.GetValue(_seed);
        int classes = Math.Max(1, data.Classes.Count);
        TokenDataset drawn = data.Sample((parsed.GetValue(_sheet) + classes - 1) / classes, seed);
        TokenDataset shown = drawn.Subset([.. Enumerable.Range(0, Math.Min(drawn.Count, parsed.GetValue(_sheet)))]);
        RgbImage sheet = CompletionSheet.Draw(ModelFiles.Network(checkpoint), shown, processor, parsed.GetValue(_samples), (ulong)seed);
        File.WriteAllBytes(Path.Combine(folder, "completions.png"), PngEncoder.Encode(sheet));
    }

    static void Write(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    /// <summary>eval.json.</summary>
    sealed record EvaluationResults
    {
        public required int Images { get; init; }

        public double? Loss { get; init; }

        public double? BitsPerDim { get; init; }

        public double? UnigramLoss { get; init; }

        public double? NeighbourLoss { get; init; }

        public double? Accuracy { get; init; }

        public IReadOnlyDictionary<string, double>? AccuracyByClass { get; init; }
    }
}
