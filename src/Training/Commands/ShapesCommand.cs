using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Training.Shapes;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train shapes</c>: a data set to train on where there is none.</summary>
internal static class ShapesCommand
{
    const int SheetColumns = 8;

    internal static Command Create()
    {
        var output = new Option<DirectoryInfo>("--out") { Description = "Folder to write: train, validation and test, each class/number.png.", Required = true };
        Option<int> train = NumberOption.Create("--train", "Training images per class.", 4000, 1, 1_000_000);
        Option<int> validation = NumberOption.Create("--validation", "Validation images per class.", 100, 0, 1_000_000);
        Option<int> test = NumberOption.Create("--test", "Test images per class.", 200, 0, 1_000_000);
        Option<int> side = NumberOption.Create("--side", "Pixels on a side.", 32, 16, 512);
        Option<int> seed = NumberOption.Create("--seed", "Seed: the same seed gives the same images.", 0, 0, int.MaxValue);
        var force = new Option<bool>("--force") { Description = "Writes into a folder that is not empty." };
        var command = new Command("shapes", $"Draws a data set: {ShapeFigures.All.Count} classes of coloured figures on varied backgrounds.") { output, train, validation, test, side, seed, force };
        command.Does((parsed, cancellationToken) =>
        {
            DirectoryInfo folder = parsed.GetRequiredValue(output);
            CommandRun.RequireEmpty(folder, parsed.GetValue(force));
            int[] perClass = [parsed.GetValue(train), parsed.GetValue(validation), parsed.GetValue(test)];
            using (var progress = new ProgressLine("Drawing", (long)perClass.Sum() * ShapeFigures.All.Count))
            {
                ShapesWriter.Write(folder.FullName, perClass, parsed.GetValue(side), parsed.GetValue(seed), done => progress.Show(done), cancellationToken);
            }

            string sheet = Path.Combine(folder.FullName, "overview.png");
            File.WriteAllBytes(sheet, PngEncoder.Encode(Sheet(parsed.GetValue(side), parsed.GetValue(seed))));
            Console.WriteLine($"Classes: {string.Join(", ", ShapeFigures.All.Select(figure => figure.Name))}");
            Console.WriteLine($"Wrote {perClass[0]}, {perClass[1]} and {perClass[2]} images of each to {folder.FullName}; some of each are in {sheet}");
            return 0;
        });
        return command;
    }

    // The first training images of every class.
    static RgbImage Sheet(int side, int seed) => ContactSheet.Compose(
        [.. Enumerable.Range(0, ShapeFigures.All.Count).Select(kind => (IReadOnlyList<RgbImage>)[
            .. Enumerable.Range(0, SheetColumns).Select(number => ShapesWriter.Paint(kind, side, ShapesWriter.SeedOf(seed, 0, kind, number)).Upscale(2))])]);
}
