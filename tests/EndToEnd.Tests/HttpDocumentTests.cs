using System.Diagnostics;
using System.Net.ServerSentEvents;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Every curl command of the documents does what it says.</summary>
public sealed class HttpDocumentTests(SharedSilo silo) : IClassFixture<SharedSilo>, IDisposable
{
    const string Address = "http://127.0.0.1:5080";

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-curl").FullName;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> Commands => [.. new[] { "README.md", "docs/http.md" }.SelectMany(page =>
        File.ReadLines(Path.Combine(GoldenSet.RepositoryRoot(), page)).Where(line => line.StartsWith("curl ", StringComparison.Ordinal)).Select(command => (page, command)))];

    [Theory]
    [MemberData(nameof(Commands))]
    public async Task Curl_EveryCommandOfADocument_Succeeds(string page, string command)
    {
        Assert.SkipUnless(Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(folder => File.Exists(Path.Combine(folder, "curl"))), "curl is not installed");
        Assert.Contains(Address, command, StringComparison.Ordinal);
        Directory.CreateDirectory(Path.Combine(_folder, "assets", "images"));
        foreach ((string from, string to) in new[] { ("tests/images/house.png", "house.png"), ("tests/images/mask.png", "mask.png"), ("assets/images/target.png", "assets/images/target.png") })
        {
            File.Copy(Path.Combine(GoldenSet.RepositoryRoot(), from), Path.Combine(_folder, to));
        }

        var start = new ProcessStartInfo("bash", ["-c", command.Replace("curl ", "curl -sS --fail-with-body --max-time 60 ", StringComparison.Ordinal).Replace(Address, silo.Server.HttpAddress!.ToString().TrimEnd('/'), StringComparison.Ordinal)])
        {
            WorkingDirectory = _folder,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MODEL"] = SharedSilo.Generator;
        start.Environment["SESSION"] = command.Contains("$SESSION", StringComparison.Ordinal) ? await SessionAsync() : null;
        using Process curl = Process.Start(start)!;
        Task<string> error = curl.StandardError.ReadToEndAsync(Cancelled);
        string output = await curl.StandardOutput.ReadToEndAsync(Cancelled);
        await curl.WaitForExitAsync(Cancelled);
        Assert.True(curl.ExitCode == 0, $"{page}: {command}\n{output}\n{await error}");
        if (!command.Contains(" -o ", StringComparison.Ordinal))
        {
            Assert.NotEmpty(output);
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    async Task<string> SessionAsync()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        string session = "";
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"maxNewTokens":20,"sessionTtl":"300s"}""")))
        {
            session = HttpGateway.Parse(item).SessionId;
        }

        return session;
    }
}
