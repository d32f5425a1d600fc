using System.CommandLine;
using System.Globalization;
using IgptCluster.Imaging;
using IgptCluster.Training.Data;
using IgptCluster.Training.Evaluation;

namespace IgptCluster.Training.Commands;

internal sealed class EvalCommand : Command
{
    readonly Option<DirectoryInfo> _data = new("--data") { Description = "Folder of images to measure on.", Required = true };
    readonly Option<DirectoryInfo> _train = new("--baseline") { Description = "Folder of images.", Required = true };
    readonly Option<DirectoryInfo> _palette = new("--palette") { Description = "Folder of palette", Required = true };

    internal EvalCommand()
        : base("eval", "Measures.")
    {
        foreach (Option option in new Option[] { _data, _train, _palette })
            Add(option);
        this.Does(Run);
    }

    int Run(ParseResult parsed, CancellationToken cancellationToken)
    {
        ImageProcessor processor = ImageProcessor.Parse(File.ReadAllText(Path.Combine(parsed.GetRequiredValue(_palette).FullName, "preprocessor_config.json")));
        TokenDataset train = Loading.Load(parsed.GetRequiredValue(_train).FullName, processor, false, cancellationToken);
        TokenDataset data = Loading.Load(parsed.GetRequiredValue(_data).FullName, processor, false, cancellationToken);
        var counts = new CountPredictor(train, processor.Palette.Count);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"unigram {counts.UnigramLoss(data):0.0000}, neighbours {counts.NeighbourLoss(data):0.0000}"));
        return 0;
    }
}
