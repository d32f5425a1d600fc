using System.CommandLine;

namespace IgptCluster.CommandLine.Tests;

/// <summary>What every program does with its command line.</summary>
public sealed class CommandProgramTests
{
    [Theory]
    [InlineData("there is no option '--slotz'; the nearest is --slots", "--slotz", "3")]
    [InlineData("there is no option '--sede'; the nearest is --seed", "paint", "--sede", "3")]
    [InlineData("there is no option '--quite'; the nearest is --quiet", "paint", "--quite")]
    [InlineData("there is no command 'pant'; the nearest is paint", "pant")]
    [InlineData("there is no option '--xyz'", "--xyz")]
    [InlineData("'more' is one argument too many", "paint", "more")]
    [InlineData("--slots must be a whole number from 1 to 64; given '0'", "--slots", "0")]
    [InlineData("--slots must be a whole number from 1 to 64; given '1,5'", "--slots", "1,5")]
    [InlineData("--slots must be a whole number from 1 to 64; given '1.5'", "--slots", "1.5")]
    [InlineData("--share must be a number such as 0.5 from 0 to 1; given '0,9'", "--share", "0,9")]
    [InlineData("--share must be a number such as 0.5 from 0 to 1; given 'NaN'", "--share", "NaN")]
    [InlineData("--share must be a number such as 0.5 from 0 to 1; given '1e12'", "--share", "1e12")]
    [InlineData("--share must be a number such as 0.5 from 0 to 1; given '-5'", "--share", "-5")]
    [InlineData("--dtype must be float32 or bfloat16; given 'int8'", "--dtype", "int8")]
    [InlineData("--colour must be red or blue; given 'green'", "--colour", "green")]
    [InlineData("'maybe' is one argument too many", "paint", "--quiet=maybe")]
    [InlineData("--size is required", "draw")]
    [InlineData("given '@file'", "--slots", "@file")]
    public async Task RunAsync_Mistake_SaysRuleAndNearestAndEndsWithTwo(string words, params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);
        Assert.Equal((CommandProgram.WrongUsage, ""), (code, output));
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", error, StringComparison.Ordinal);
        Assert.All(error.TrimEnd().Split('\n'), line => Assert.StartsWith("igpt test: ", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task RunAsync_SeveralMistakes_TellsAllOfThem()
    {
        (_, _, string error) = await RunAsync("--slots", "0", "--share", "7", "--bogus");
        Assert.Contains("--slots must", error, StringComparison.Ordinal);
        Assert.Contains("--share must", error, StringComparison.Ordinal);
        Assert.Contains("'--bogus'", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--version")]
    [InlineData("--help")]
    [InlineData("draw", "--help")]
    public async Task RunAsync_AskedAboutItself_AnswersAndRunsNothing(params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);
        Assert.Equal((CommandProgram.Done, ""), (code, error));
        Assert.NotEqual("", output);
        Assert.DoesNotContain("ran", output.Split(' '));
    }

    [Theory]
    [InlineData("64 0.25 bfloat16", "--slots", "64", "--share", "0.25", "--dtype", "bf16")]
    [InlineData("8 1 float32", "--share", "1e0", "--dtype", "FP32")]
    [InlineData("8 0.5 float32")]
    public async Task RunAsync_SoundCommandLine_RunsWithItsValues(string expected, params string[] arguments)
    {
        (int code, string output, _) = await RunAsync(arguments);
        Assert.Equal((CommandProgram.Done, $"ran {expected}"), (code, output.TrimEnd()));
    }

    [Fact]
    public async Task RunAsync_FailureOfTheCommand_IsTheProgramsOwn()
    {
        Assert.Equal((2, "igpt test: not so"), await FailingAsync(new UsageException("not so")));
        Assert.Equal((1, "igpt test: no room\nigpt test: none at all"), await FailingAsync(new IOException("no room\nnone at all")));
        Assert.Equal((130, "igpt test: interrupted"), await FailingAsync(new OperationCanceledException()));
        (int code, string bug) = await FailingAsync(new InvalidOperationException("not foreseen"));
        Assert.Equal(1, code);
        Assert.StartsWith("igpt test: a bug: System.InvalidOperationException: not foreseen", bug, StringComparison.Ordinal);
        Assert.EndsWith("igpt test: failed by a bug, InvalidOperationException: please report the lines above", bug, StringComparison.Ordinal);
    }

    static async Task<(int Code, string Error)> FailingAsync(Exception failure)
    {
        using var error = new StringWriter();
        var root = new RootCommand("Fails.");
        root.SetAction((_, _) => Task.FromException<int>(failure));
        return (await new CommandProgram("igpt test", root) { Error = error }.RunAsync([], TestContext.Current.CancellationToken), error.ToString().TrimEnd());
    }

    static async Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        Option<int> slots = NumberOption.Create("--slots", "Slots.", 8, 1, 64);
        Option<double> share = NumberOption.Create("--share", "Share.", 0.5, 0, 1);
        Option<string> dtype = ChoiceOption.CreateDataType("--dtype", "Type:", "float32", "float32", "bfloat16");
        Option<string?> colour = ChoiceOption.CreateOptional("--colour", "Colour:", "red", "blue");
        var quiet = new Option<bool>("--quiet") { Recursive = true };
        var paint = new Command("paint") { NumberOption.Create("--seed", "Seed.", 0, 0, 9), NumberOption.Create("--side", "Side.", 1, 1, 9) };
        paint.SetAction(_ => 0);
        var draw = new Command("draw") { new Option<string>("--size") { Required = true } };
        draw.SetAction(_ => 0);
        var root = new RootCommand("A program.") { slots, share, dtype, colour, quiet, paint, draw };
        root.SetAction(parsed => parsed.InvocationConfiguration.Output.WriteLine(
            FormattableString.Invariant($"ran {parsed.GetValue(slots)} {parsed.GetValue(share)} {parsed.GetValue(dtype)}")));
        int code = await new CommandProgram("igpt test", root) { Output = output, Error = error }.RunAsync(arguments, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }
}
