using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using IgptCluster.Cli;
using IgptCluster.Client.Tests.Fakes;
using IgptCluster.Protocol.V1;
using static IgptCluster.Client.Tests.Fakes.FakeCluster;

namespace IgptCluster.Client.Tests;

/// <summary><c>igpt</c> in this process, on the fake gateways.</summary>
public sealed class CommandLineTests : ClientTest
{
    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    string Picture => Path.Combine(_folder, "a.png");

    [Fact]
    public async Task Generate_GatewayGoneMidStream_TellsAndWritesThePicture()
    {
        Fake.Streams.Enqueue(call => call.SendAsync(Started(), Tokens(0, 0, 5)));
        (int code, string output, string error) = await RunAsync("generate", "-o", Picture);
        Assert.Equal(ExitCode.Ok, code);
        Assert.Contains("wrote", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Picture));
        Assert.Contains($"igpt: the gateway {Gateways[0].Address} does not answer; going on at {Gateways[1].Address}", error, StringComparison.Ordinal);
        Fake.Streams.Enqueue(call => call.SendAsync(Started(), Tokens(0, 0, 5)));
        Assert.Equal("", (await RunAsync("generate", "--quiet", "-o", Picture)).Error);
    }

    [Fact]
    public async Task Generate_NeverTryingAgain_FailsWithFiveAndNamesTheSession()
    {
        Fake.Streams.Enqueue(call => call.SendAsync(Started(), Tokens(0, 0, 5)));
        (int code, _, string error) = await RunAsync("generate", "--retry", "0", "--json");
        Assert.Equal(ExitCode.Incomplete, code);
        Assert.Contains("igpt sessions attach session0", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Attach_Rewound_ExitsWithFive()
    {
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Aborted));
        Assert.Equal(ExitCode.Incomplete, (await RunAsync("sessions", "attach", "session0")).Code);
    }

    [Fact]
    public async Task AnyCommand_NobodyThere_SaysSoAtOnce()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        string nowhere = $"http://{listener.LocalEndpoint}";
        listener.Dispose();
        (int code, _, string error) = await RunWithAsync([nowhere], "models", "get");
        Assert.Equal(ExitCode.Unavailable, code);
        Assert.StartsWith($"igpt: cannot reach {nowhere}", error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Ok, (await RunWithAsync([nowhere, $"{Gateways[0].Address}"], "models", "get")).Code);
    }

    [Theory]
    [InlineData("HOST:PORT", "pause", "x", "--address", "ftp://127.0.0.1:5081")]
    [InlineData("HOST:PORT", "pause", "x", "--address", "somewhere")]
    [InlineData("--timeout must be", "pause", "x", "--timeout", "1e12")]
    [InlineData("--timeout must be", "pause", "x", "--timeout", "NaN")]
    [InlineData("--timeout must be", "pause", "x", "--timeout", "-5")]
    [InlineData("given '0,9'", "fork", "x", "--top-p", "0,9")]
    [InlineData("given '1,000'", "fork", "x", "--seed", "1,000")]
    [InlineData("--output must end in .png", "attach", "x", "-o", "x.jpg")]
    [InlineData("2 sessions' ids begin with 'aaaa'", "pause", "aaaa")]
    [InlineData("--retry", "pause", "x", "--retry", "-1")]
    [InlineData("--to", "rewind", "x")]
    [InlineData("POSITION=TOKEN", "fork", "x", "--force", "1")]
    [InlineData("--scale", "fork", "x", "--attach", "--scale", "0")]
    public async Task Mistakes_InSessionCommands_AreToldBeforeAnythingIsCalled(string words, params string[] arguments)
    {
        string[] gateways = arguments.Contains("--address") ? [] : [$"{Gateways[0].Address}"];
        (int code, _, string error) = await RunWithAsync(gateways, ["sessions", .. arguments]);
        Assert.Equal(ExitCode.BadInput, code);
        Assert.Contains(words, error, StringComparison.Ordinal);
        Assert.DoesNotContain("System.", error, StringComparison.Ordinal);
        Assert.All(Fake.Requests, request => Assert.IsType<ListSessionsRequest>(request));
    }

    [Fact]
    public async Task Fork_WithAttach_SendsWhatWasGivenAndWritesThePicture()
    {
        (int code, string output, _) = await RunAsync(
            "sessions", "fork", "parent", "--at", "7", "--temperature", "0.5", "--seed", "9", "--force", "8=3", "--force", "9=4", "--attach", "-o", Picture);
        Assert.Equal(ExitCode.Ok, code);
        ForkSessionRequest sent = Assert.Single(Fake.Seen<ForkSessionRequest>());
        Assert.Equal(("parent", 7u, 0.5, 9ul), (sent.SessionId, sent.AtPosition, sent.Sampling.Temperature, sent.Sampling.Seed));
        Assert.Equal([(8u, 3u), (9u, 4u)], sent.Forced.Select(pixel => (pixel.Position, pixel.Token)));
        Assert.Equal("session0", Assert.Single(Fake.Seen<AttachRequest>()).SessionId);
        Assert.StartsWith("session0 fake:", output, StringComparison.Ordinal);
        Assert.True(File.Exists(Picture));
    }

    [Fact]
    public async Task Rewind_NothingButThePosition_KeepsTheSampling()
    {
        Assert.Equal(ExitCode.Ok, (await RunAsync("sessions", "rewind", "session3", "--to", "4")).Code);
        RewindSessionRequest sent = Assert.Single(Fake.Seen<RewindSessionRequest>());
        Assert.Equal((4u, null), (sent.ToPosition, sent.Sampling));
        Assert.Empty(Fake.Seen<AttachRequest>());
    }

    [Theory]
    [InlineData("session1 fake", "sessions", "pause", "session1")]
    [InlineData("session1 fake", "sessions", "resume", "session1")]
    [InlineData("session1 fake", "sessions", "cancel", "session1")]
    [InlineData("deleted session session1", "sessions", "delete", "session1")]
    [InlineData("m: 1 replica loading", "models", "load", "m", "folder", "--dtype", "int8")]
    [InlineData("unloaded m", "models", "unload", "m")]
    [InlineData("m: 0 replicas", "models", "scale", "m", "2")]
    [InlineData("drained s", "cluster", "drain", "s")]
    [InlineData("deleted head h", "models", "delete-head", "h")]
    public async Task Commands_OfOneCall_SayWhatWasDone(string expected, params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);
        Assert.Equal((ExitCode.Ok, ""), (code, error));
        Assert.StartsWith(expected, output, StringComparison.Ordinal);
        Assert.StartsWith("{", (await RunAsync([.. arguments, "--json"])).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Generate_Interrupted_KeepsThePictureAndNamesTheSessionsThatGoOn(bool outlives)
    {
        using var interrupt = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        Fake.Streams.Enqueue(async call =>
        {
            await call.SendAsync(Started(), Tokens(0, 0, 5));
            await call.HangAsync();
        });
        using var output = new ArrivalWriter("\"tokens\"", interrupt.Cancel);
        using var error = new StringWriter();
        int code = await CliApplication.RunAsync(["generate", "--json", "-o", Picture, "--address", $"{Gateways[0].Address}", .. outlives ? ["--ttl", "100"] : Array.Empty<string>()], output, error, interrupt.Token);
        Assert.Equal(ExitCode.Interrupted, code);
        Assert.Contains("as far as made", error.ToString(), StringComparison.Ordinal);
        Assert.Equal(outlives, error.ToString().Contains("session session0 goes on; follow it with: igpt sessions attach session0", StringComparison.Ordinal));
        Assert.True(File.Exists(Picture));
    }

    [Fact]
    public async Task SessionCommands_BeginningOfAnId_MeanTheOneSessionThatHasIt()
    {
        Assert.Equal(ExitCode.Ok, (await RunAsync("sessions", "pause", "aaaa2")).Code);
        Assert.Equal(FakeSessions.Known[1], Assert.Single(Fake.Seen<PauseSessionRequest>()).SessionId);
        Assert.Equal(ExitCode.Ok, (await RunAsync("sessions", "cancel", FakeSessions.Known[0])).Code);
        Assert.Equal(FakeSessions.Known[0], Assert.Single(Fake.Seen<CancelSessionRequest>()).SessionId);
    }

    [Fact]
    public async Task AnyCommand_HostAndPort_IsAnAddress() =>
        Assert.Equal(ExitCode.Ok, (await RunWithAsync([Gateways[0].Address.Authority], "models", "get")).Code);

    [Fact]
    public async Task AnyCommand_FailingWithJson_TellsItAsJson()
    {
        (int code, _, string error) = await RunAsync("sessions", "pause", "aaaa", "--json");
        using var told = System.Text.Json.JsonDocument.Parse(error);
        Assert.Equal(code, told.RootElement.GetProperty("error").GetProperty("exit_status").GetInt32());
        Assert.StartsWith("2 sessions", told.RootElement.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.StartsWith("{", (await RunAsync("sessions", "pause", "x", "--json", "--bogus")).Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--ttl: must be short", "session_ttl")]
    [InlineData("--top-p: must be short", "sampling.top_p")]
    [InlineData("--force[3].token: must be short", "forced[3].token")]
    [InlineData("unheard: must be short", "unheard")]
    public void InUsersWords_RefusalOfAField_NamesTheOption(string expected, string field)
    {
        var status = new Google.Rpc.Status
        {
            Details = { Google.Protobuf.WellKnownTypes.Any.Pack(new Google.Rpc.BadRequest { FieldViolations = { new Google.Rpc.BadRequest.Types.FieldViolation { Field = field } } }) },
        };
        Assert.Equal(expected, OptionNames.InUsersWords($"{field}: must be short", status));
    }

    [Fact]
    public async Task Cluster_DeadSilos_AreShownWithAllAlone()
    {
        Assert.DoesNotContain("gone", (await RunAsync("cluster")).Output, StringComparison.Ordinal);
        Assert.Contains("gone", (await RunAsync("cluster", "--all")).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Load_AllOptions_AreSent()
    {
        await RunAsync("models", "load", "m", "folder", "--replicas", "3", "--dtype", "int8", "--kv-dtype", "bf16");
        Assert.Equal(
            new LoadModelRequest { Model = "m", Source = "folder", Replicas = 3, Dtype = "int8", KvDtype = "bfloat16" }, Assert.Single(Fake.Seen<LoadModelRequest>()));
    }

    [Fact]
    public async Task Watch_Timeout_ShowsStatesUntilThen()
    {
        (int code, string output, _) = await RunAsync("cluster", "watch", "--json", "--timeout", "1");
        Assert.Equal(ExitCode.Unavailable, code);
        Assert.Contains("\"version\":\"2\"", output.Replace(" ", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Theory(Timeout = 60_000)]
    [InlineData("classify")]
    [InlineData("models", "put-head")]
    public async Task FilesToSend_NoRegularFilesOrTooLarge_AreRefusedBeforeAnythingIsCalled(params string[] command)
    {
        using (var make = System.Diagnostics.Process.Start("mkfifo", Path.Combine(_folder, "pipe")))
        {
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        using (FileStream large = File.Create(Path.Combine(_folder, "large")))
        {
            large.SetLength(1L << 40);
        }

        File.CreateSymbolicLink(Path.Combine(_folder, "linked"), "large");
        await File.WriteAllTextAsync(Path.Combine(_folder, "pointer"), "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 307\n", Cancelled);
        foreach ((string file, string words) in new[]
        {
            ("pipe", "': must be a regular file; it is a pipe (FIFO); - reads standard input"),
            ("linked", "bytes; given 1,099,511,627,776"),
            ("pointer", "': is a Git LFS pointer"),
            ("nothing", "': there is no such file"),
        })
        {
            (int code, _, string error) = await Task.Run(() => RunAsync([.. command, Path.Combine(_folder, file)]), Cancelled);
            Assert.Equal(ExitCode.BadInput, code);
            Assert.StartsWith($"igpt: '{_folder}", error, StringComparison.Ordinal);
            Assert.Contains(words, error, StringComparison.Ordinal);
        }

        Assert.Empty(Fake.Requests);
    }

    [Theory]
    [InlineData("models")]
    [InlineData("models", "get", "a\u001b[2J\nb")]
    public async Task Models_NamesAndLabelsWithControlCharacters_AreEscaped(params string[] arguments)
    {
        (int code, string output, string error) = await RunAsync(arguments);
        Assert.Equal((ExitCode.Ok, ""), (code, error));
        Assert.Contains(@"a\u001b]0;pwned\u0007\u001b[2J\u000aigpt: fake line", output, StringComparison.Ordinal);
        Assert.DoesNotContain(output, letter => char.IsControl(letter) && letter is not '\n' and not '\r');
        Assert.DoesNotContain(output.Split('\n'), line => line.StartsWith("igpt:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task AnyCommand_RefusalWithControlCharacters_IsEscaped()
    {
        Fake.Streams.Enqueue(_ => throw new RpcException(new Status(StatusCode.InvalidArgument, "no\u001b[2J")));
        (_, _, string error) = await RunAsync("generate", "-o", Picture);
        Assert.Contains(@"no\u001b[2J", error, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', error);
    }

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => RunWithAsync([.. Gateways.Select(gateway => $"{gateway.Address}")], arguments);

    async Task<(int Code, string Output, string Error)> RunWithAsync(string[] addresses, params string[] arguments)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        int code = await CliApplication.RunAsync([.. arguments, .. addresses.SelectMany(address => new[] { "--address", address })], output, error, Cancelled);
        return (code, output.ToString(), error.ToString());
    }
}
