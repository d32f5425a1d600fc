using System.Diagnostics;

namespace IgptCluster.Tests.Shared;

/// <summary>A program of this repository on a pseudo-terminal, as a person starts it: what it writes only there is seen by no test of piped output.</summary>
internal static class TerminalProcess
{
    /// <summary>Runs a program to its end on a terminal of its own, by util-linux's <c>script</c>.</summary>
    /// <param name="program">Project and assembly: <c>Training/igpt-train.dll</c>.</param>
    /// <param name="folder">Its working directory.</param>
    /// <param name="arguments">The command line.</param>
    /// <param name="columns">The terminal's width.</param>
    /// <returns>The exit code, and all that appeared on the terminal.</returns>
    internal static async Task<(int Code, string Screen)> RunAsync(string program, string folder, string[] arguments, int columns = 80)
    {
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string path = Path.Combine(own.Parent!.Parent!.FullName, Path.GetDirectoryName(program)!, own.Name, Path.GetFileName(program));
        Assert.True(File.Exists(path), $"{path} is not built");
        string command = string.Join(' ', ((string[])["dotnet", path, .. arguments]).Select(word => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'"));
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo("script", ["--quiet", "--return", "--command", $"stty cols {columns} rows 50; exec {command}", "/dev/null"])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder,
                Environment = { ["TERM"] = "xterm-256color" },
            },
        };
        process.Start();
        Task<string> error = process.StandardError.ReadToEndAsync(cancelled);
        string screen = await process.StandardOutput.ReadToEndAsync(cancelled);
        await process.WaitForExitAsync(cancelled);
        return (process.ExitCode, screen + await error);
    }
}
