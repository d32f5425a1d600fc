using System.Text.RegularExpressions;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Training.Tests;

/// <summary>The commands on a terminal, where progress is a line that is written over.</summary>
public sealed class TerminalTests
{
    const int Columns = 60;
    static readonly string[] Small = ["--layers", "1", "--width", "16", "--heads", "2", "--batch", "4", "--warmup", "1", "--steps", "2"];

    [Fact]
    public async Task Commands_OnATerminal_ShowTheirProgressAndSucceed()
    {
        using var folder = new TemporaryFolder();
        string[] train = ["--data", folder["shapes/train"]], test = ["--data", folder["shapes/test"]];
        await ShowsAsync(folder, "Drawing", "shapes", "--out", folder["shapes"], "--side", "16", "--train", "10", "--validation", "0", "--test", "3");
        await ShowsAsync(folder, "Reading images", ["palette", .. train, "--out", folder["palette"], "--colours", "8", "--side", "4", "--batches", "2"]);
        await ShowsAsync(folder, "Training:", ["pretrain", .. train, "--palette", folder["palette"], "--out", folder["model"], .. Small]);
        await ShowsAsync(folder, "Reading", ["probe", "--model", folder["model"], .. train, "--test", folder["shapes/test"], "--out", folder["probe"], "--per-class", "5"]);
        await ShowsAsync(folder, "Training:", ["finetune", "--model", folder["model"], .. train, "--out", folder["classifier"], "--steps", "2", "--batch", "4"]);
        await ShowsAsync(folder, "Scoring", ["eval", "--model", folder["model"], .. test, "--out", folder["loss"]]);
        await ShowsAsync(folder, "Classifying", ["eval", "--model", folder["classifier"], .. test, "--out", folder["classes"]]);
    }

    static async Task ShowsAsync(TemporaryFolder folder, string progress, params string[] arguments)
    {
        (int code, string screen) = await TerminalProcess.RunAsync("Training/igpt-train.dll", folder.Path, arguments, Columns);
        Assert.True(code == 0, $"{arguments[0]} ended with {code}:\n{screen}");
        string[] shown = [.. screen.Split('\r', '\n').Where(line => line.EndsWith("\u001b[K", StringComparison.Ordinal))];
        Assert.Contains(shown, line => line.Contains(progress, StringComparison.Ordinal));

        // A line that wraps would be left standing, row by row.
        Assert.All(shown.Where(line => Regex.IsMatch(line, @"\d/s")), line => Assert.InRange(line.Length - "\u001b[K".Length, 1, Columns - 1));
    }
}
