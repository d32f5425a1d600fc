using System.Diagnostics;
using System.Text;

namespace IgptCluster.EndToEnd.Tests;

/// <summary><c>igpt</c> as a process, as scripts use it.</summary>
internal static class CliProcess
{
    /// <summary>Runs one command to its end.</summary>
    /// <param name="server">The gateway it talks to, unless the arguments name another.</param>
    /// <param name="folder">Its working directory.</param>
    /// <param name="arguments">The command line.</param>
    /// <param name="each">Sees each line of output as it comes.</param>
    public static async Task<(int Code, string Output, string Error)> RunAsync(ServerProcess server, string folder, string[] arguments, Action<string>? each = null)
    {
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        DirectoryInfo own = new(AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar));
        string program = Path.Combine(own.Parent!.Parent!.FullName, "Cli", own.Name, "igpt.dll");
        using var process = new Process
        {
            StartInfo = new ProcessStartInfo("dotnet", [program, .. arguments])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
                WorkingDirectory = folder,
                Environment = { ["IGPT_ADDRESS"] = server.GrpcAddress!.ToString() },
            },
        };
        process.Start();
        Task<string> error = process.StandardError.ReadToEndAsync(cancelled);
        var output = new StringBuilder();
        while (await process.StandardOutput.ReadLineAsync(cancelled) is { } line)
        {
            output.Append(line).Append('\n');
            each?.Invoke(line);
        }

        await process.WaitForExitAsync(cancelled);
        return (process.ExitCode, output.ToString(), await error);
    }
}
