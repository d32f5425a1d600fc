using System.Diagnostics;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Clients of npm, installed once into a folder of their own.</summary>
public sealed class NpmClients : IAsyncLifetime
{
    static readonly TimeSpan InstallLimit = TimeSpan.FromMinutes(3);

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-npm").FullName;
    string _missing = "";

    public async ValueTask InitializeAsync()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(GoldenSet.RepositoryRoot(), "tests", "npm")))
        {
            File.Copy(file, Path.Combine(_folder, Path.GetFileName(file)));
        }

        if (!new[] { "node", "npm" }.All(program => Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, program)))))
        {
            _missing = "node and npm are not installed";
            return;
        }

        using var limit = new CancellationTokenSource(InstallLimit);
        (int code, string output, string error) = await ExecuteAsync("npm", ["install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"], limit.Token);
        _missing = code == 0 ? "" : $"npm could not install the clients: {output}{error}";
    }

    /// <summary>Runs a script and gives what it printed; skips the test where npm has no clients.</summary>
    public async Task<string> RunAsync(string script, params string[] arguments)
    {
        Assert.SkipWhen(_missing.Length > 0, _missing);
        (int code, string output, string error) = await ExecuteAsync("node", [script, .. arguments], TestContext.Current.CancellationToken);
        Assert.True(code == 0, $"{script} ended with {code}\n{output}\n{error}");
        return output;
    }

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_folder, recursive: true);
        return ValueTask.CompletedTask;
    }

    async Task<(int Code, string Output, string Error)> ExecuteAsync(string program, string[] arguments, CancellationToken cancellationToken)
    {
        using Process process = Process.Start(new ProcessStartInfo(program, arguments) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true })!;
        try
        {
            Task<string> error = process.StandardError.ReadToEndAsync(cancellationToken);
            string output = await process.StandardOutput.ReadToEndAsync(cancellationToken);
            await process.WaitForExitAsync(cancellationToken);
            return (process.ExitCode, output, await error);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            return (-1, "", "it took too long");
        }
    }
}
