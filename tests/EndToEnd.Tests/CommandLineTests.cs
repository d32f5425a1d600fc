using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary><c>igpt</c> as a process, as scripts use it.</summary>
public sealed class CommandLineTests(SharedSilo silo) : IClassFixture<SharedSilo>, IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string Picture => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "images", "house.png");

    [Fact]
    public async Task Classify_Picture_PrintsClasses()
    {
        (int code, string output, _) = await RunAsync("classify", Picture, "--model", "tiny-random-classifier", "--top", "2");
        Assert.Equal(0, code);
        Assert.Equal(2, output.Split("LABEL_").Length - 1);
    }

    [Fact]
    public async Task ClassifyEmbedScore_Json_IsOneDocument()
    {
        (_, string classified, _) = await RunAsync("classify", Picture, Picture, "--model", "tiny-random-classifier", "--json");
        Assert.Equal(2, JsonDocument.Parse(classified).RootElement.GetProperty("results").GetArrayLength());
        (_, string embedded, _) = await RunAsync("embed", Picture, "--layer", "1", "--json");
        Assert.Equal(64, JsonDocument.Parse(embedded).RootElement.GetProperty("embeddings")[0].GetProperty("values").GetArrayLength());
        (_, string scored, _) = await RunAsync("score", Picture, "--json");
        Assert.True(JsonDocument.Parse(scored).RootElement.GetProperty("results")[0].GetProperty("bits_per_dim").GetDouble() > 0);
    }

    [Fact]
    public async Task Complete_Samples_WritesPicturesAndAnimations()
    {
        (int code, string output, _) = await RunAsync("complete", Picture, "--samples", "2", "--seed", "4", "--animation", "a.png", "--scale", "2");
        Assert.Equal(0, code);
        Assert.Equal(2, output.Split("completed").Length - 1);
        foreach (string file in new[] { "completion-0.png", "completion-1.png", "a-0.png", "a-1.png" })
        {
            Assert.True(File.ReadAllBytes(Path.Combine(_folder, file)).AsSpan(1).StartsWith("PNG"u8), file);
        }

        Assert.NotEqual(File.ReadAllBytes(Path.Combine(_folder, "completion-0.png")), File.ReadAllBytes(Path.Combine(_folder, "completion-1.png")));
    }

    [Fact]
    public async Task Generate_Json_IsOneEventPerLineFromStartedToFinished()
    {
        (int code, string output, string error) = await RunAsync("generate", "--json", "--max-new-tokens", "9", "--force", "3=77", "--temperature", "0");
        Assert.Equal((0, ""), (code, error));
        JsonElement[] events = [.. output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement)];
        Assert.True(events[0].TryGetProperty("started", out _));
        Assert.Equal("FINISH_REASON_LENGTH", events[^1].GetProperty("finished").GetProperty("reason").GetString());
        int[] tokens = [.. events[1..^1].SelectMany(one => one.GetProperty("tokens").GetProperty("ids").EnumerateArray()).Select(id => id.GetInt32())];
        Assert.Equal(9, tokens.Length);
        Assert.Equal(77, tokens[3]);
    }

    [Fact]
    public async Task Sessions_WithTimeToLive_CanBeListedShownAttachedAndCancelled()
    {
        (_, string made, _) = await RunAsync("generate", "--json", "--max-new-tokens", "20", "--ttl", "300");
        string id = JsonDocument.Parse(made.Split('\n')[0]).RootElement.GetProperty("session_id").GetString()!;
        Assert.Contains(id, (await RunAsync("sessions", "--quiet")).Output, StringComparison.Ordinal);
        Assert.Contains("finished (length)", (await RunAsync("sessions", "get", id)).Output, StringComparison.Ordinal);
        Assert.Equal(0, (await RunAsync("sessions", "attach", id)).Code);
        Assert.True(File.Exists(Path.Combine(_folder, "session.png")));
        Assert.Equal(0, (await RunAsync("sessions", "cancel", id)).Code);
    }

    [Fact]
    public async Task ModelsAndCluster_RunningSilo_ShowThem()
    {
        Assert.Contains("tiny-random-classifier", (await RunAsync("models")).Output, StringComparison.Ordinal);
        Assert.Contains("512 colours", (await RunAsync("models", "get", "tiny-random")).Output, StringComparison.Ordinal);
        Assert.Contains("0 of 40", (await RunAsync("cluster")).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "no such file", "classify", "nothing.png")]
    [InlineData(2, "given '3'", "generate", "--top-p", "3")]
    [InlineData(2, "--bogus", "generate", "--bogus")]
    [InlineData(2, "POSITION=TOKEN", "generate", "--force", "x")]
    [InlineData(2, "given '100'", "generate", "--scale", "100")]
    [InlineData(3, "'nothing'", "generate", "--model", "nothing")]
    [InlineData(3, "no session", "sessions", "get", "abc")]
    [InlineData(4, "--timeout", "models", "--timeout", "0.00001")]
    [InlineData(4, "cannot reach", "models", "--address", "http://127.0.0.1:1")]
    public async Task Mistakes_OfAnyKind_HaveTheirExitCodeAndSayWhy(int expected, string words, params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);
        Assert.Equal(expected, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.StartsWith("igpt: ", error, StringComparison.Ordinal);
        Assert.Equal("", output);
    }

    [Fact]
    public async Task Generate_ServerKilledMidStream_ExitsWithFiveAndNamesTheSession()
    {
        (int code, string error) = (0, "");
        for (int attempt = 0; code == 0 && attempt < 5; attempt++)
        {
            // Where the reader comes too late the whole stream has come before the kill.
            (code, error) = await GenerateFromADyingServerAsync();
        }

        Assert.Equal(5, code);
        Assert.Contains("igpt sessions attach", error, StringComparison.Ordinal);
    }

    async Task<(int Code, string Error)> GenerateFromADyingServerAsync()
    {
        await using ServerProcess doomed = await ServerProcess.StartSiloAsync("--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"));
        (int code, _, string error) = await RunAsync(
            ["generate", "--json", "--samples", "32", "--retry", "1", "--address", doomed.GrpcAddress!.ToString()],
            line =>
            {
                if (line.Contains("\"tokens\"", StringComparison.Ordinal) && !doomed.Process.HasExited)
                {
                    doomed.Process.Kill();
                }
            });
        return (code, error);
    }

    [Fact]
    public async Task Generate_TimeoutMidStream_ExitsWithFiveAndNamesTheSession()
    {
        // A busy machine may not begin in the first of these times; none makes so many images in twice the time in which it begins.
        (int code, string error) = (4, "");
        for (double seconds = 0.1; code == 4 && seconds <= 64; seconds *= 2)
        {
            (code, _, error) = await RunAsync("generate", "--json", "--samples", "64", "--timeout", seconds.ToString(System.Globalization.CultureInfo.InvariantCulture));
        }

        Assert.Contains("--timeout", error, StringComparison.Ordinal);
        Assert.Contains("igpt sessions attach", error, StringComparison.Ordinal);
        Assert.Equal(5, code);
    }

    [Fact]
    public async Task Classify_MoreBytesThanTheGatewayTakes_IsBadInput()
    {
        string large = Path.Combine(_folder, "large.png");
        await File.WriteAllBytesAsync(large, new byte[40 << 20], Cancelled);
        (int code, _, string error) = await RunAsync("classify", large);
        Assert.Contains("MaxRequestBytes", error, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }

    [Fact]
    public async Task Generate_OutputToStandardOutput_IsThePictureAlone()
    {
        (int code, string output, _) = await RunAsync("generate", "--max-new-tokens", "3", "-o", "-");
        Assert.Equal(0, code);
        Assert.StartsWith("PNG", output[1..], StringComparison.Ordinal);
        Assert.Contains("IEND", output[^12..], StringComparison.Ordinal);
    }

    [Fact]
    public async Task AnyCommand_HttpPort_IsToldFromTheOneForGrpc()
    {
        (int code, _, string error) = await RunAsync("models", "--address", silo.Server.HttpAddress!.Authority);
        Assert.Equal(4, code);
        Assert.Contains("port for gRPC", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_OnATerminal_ShowsItsProgress()
    {
        (int code, string screen) = await TerminalProcess.RunAsync("Cli/igpt.dll", _folder, ["generate", "--address", silo.Server.GrpcAddress!.ToString()]);
        Assert.True(code == 0, screen);
        Assert.Contains("100%", screen, StringComparison.Ordinal);
        Assert.True(File.Exists(Path.Combine(_folder, "generated.png")));
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => RunAsync(arguments, _ => { });

    Task<(int Code, string Output, string Error)> RunAsync(string[] arguments, Action<string> each) => CliProcess.RunAsync(silo.Server, _folder, arguments, each);
}
