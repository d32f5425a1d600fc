using System.Diagnostics;
using System.Xml.Linq;

namespace IgptCluster.Architecture.Tests;

/// <summary>Every program of the repository, as a stranger first meets it.</summary>
public sealed class ProgramTests
{
    static readonly string Root = ProjectReferenceTests.FindRoot();

    public static TheoryData<string> Programs =>
    [
        .. new[] { "src", "perf" }.SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories))
            .Where(project => XDocument.Load(project).Descendants("OutputType").Any(type => type.Value == "Exe"))
            .Select(project => Path.GetFileNameWithoutExtension(project))
            .Order(),
    ];

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Help_AnyProgram_TellsTheOptionsAndStartsNothing(string project)
    {
        (int code, string output, string error) = await RunAsync(project, "--help");
        Assert.Equal((0, ""), (code, error));
        Assert.Contains("--version", output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task Version_AnyProgram_IsOneLine(string project)
    {
        (int code, string output, string error) = await RunAsync(project, "--version");
        Assert.Equal((0, ""), (code, error));
        Assert.Matches(@"^[a-zA-Z/ -]+ \d+\.\d+\.\d+\S*$", output.TrimEnd('\n'));
    }

    [Theory]
    [MemberData(nameof(Programs))]
    public async Task UnknownOption_AnyProgram_IsRefusedWithTwo(string project)
    {
        (int code, string output, string error) = await RunAsync(project, "--bogus");
        Assert.Equal((2, ""), (code, output));
        Assert.Contains("there is no option '--bogus'", error, StringComparison.Ordinal);
    }

    static async Task<(int Code, string Output, string Error)> RunAsync(string project, params string[] arguments)
    {
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        string configuration = Path.GetFileName(Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory));
        string folder = Path.Combine(Root, "artifacts", "bin", project, configuration);

        string program = Path.Combine(folder, $"{ProjectReferenceTests.Assembly(project)}.dll");
        Assert.True(File.Exists(program), $"{program} is missing: build the solution first");
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", [program, .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder,
            },
        };
        process.Start();
        Task<string> error = process.StandardError.ReadToEndAsync(cancelled);
        string output = await process.StandardOutput.ReadToEndAsync(cancelled);
        await process.WaitForExitAsync(cancelled);
        return (process.ExitCode, output, await error);
    }
}
