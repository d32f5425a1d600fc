using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>How servers start, refuse to start, and stop.</summary>
public sealed class StartupTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    static string Bundled => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random");

    [Fact(Timeout = 120_000)]
    public async Task Silo_TerminatedWhileGenerating_StopsInOrderAndExitsWithZero()
    {
        CancellationToken cancelled = TestContext.Current.CancellationToken;
        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", Bundled, "--slots", "8");
        using GrpcChannel channel = server.Connect();
        using AsyncServerStreamingCall<GenerateEvent> running = new ImageGpt.ImageGptClient(channel).Generate(new GenerateRequest { Samples = 8 }, cancellationToken: cancelled);
        Assert.True(await running.ResponseStream.MoveNext(cancelled));
        await TerminateAsync(server);
        int finished = 0;
        while (await running.ResponseStream.MoveNext(cancelled))
        {
            finished += running.ResponseStream.Current.EventCase == GenerateEvent.EventOneofCase.Finished ? 1 : 0;
        }

        Assert.Equal(8, finished);
        await server.Process.WaitForExitAsync(cancelled);
        Assert.True(server.Process.ExitCode == 0, $"it exited with {server.Process.ExitCode}\n{server.Output}");
    }

    [Theory]
    [InlineData("Igpt:Slots", "between 1 and 4096; given '5000'", "--slots", "5000")]
    [InlineData("Igpt:Slots", "'many'", "--slots", "many")]
    [InlineData("Igpt:Device", "must be cpu, cuda or auto; given 'tpu'", "--device", "tpu")]
    [InlineData("Igpt:Models", "--model PATH or NAME=PATH", "--model", "")]
    [InlineData("Igpt:Models", "1 … 128 characters", "--model", "/")]
    [InlineData("Igpt:Listen:Grpc", "given 'here'", "--grpc", "here")]
    public async Task Silo_BrokenOption_SaysRuleAndValueAndExitsWithTwo(string setting, string words, params string[] arguments)
    {
        string[] model = arguments[0] == "--model" ? [] : ["--model", Bundled];
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", [.. model, .. arguments]);
        Assert.StartsWith("igpt silo: ", output, StringComparison.Ordinal);
        Assert.Contains(setting, output, StringComparison.Ordinal);
        Assert.Contains(words, output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
        Assert.Equal(2, code);
    }

    [Theory]
    [InlineData("Igpt:Gateway:MaxImages", "between 1 and 1024; given '0'", "0")]
    [InlineData("Igpt:Gateway:MaxSessionTtl", "49.00:00:00; given '50.00:00:00'", "50.00:00:00")]
    [InlineData("Igpt:Sessions:MaxResumptions", "between 0 and 100; given '-1'", "-1")]
    [InlineData("Igpt:Cluster:SiloPort", "between 1 and 65535; given '0'", "0")]
    [InlineData("Igpt:Cluster:ClusterId", "must be 1 … 64 letters, digits, '.', '_' or '-', a letter or digit first; given 'a[b]'", "a[b]")]
    [InlineData("Igpt:Cluster:ClusterId", "given '*'", "*")]
    [InlineData("Igpt:Cluster:ClusterId", "given '..'", "..")]
    [InlineData("Igpt:Cluster:ClusterId", "given '../there'", "../there")]
    [InlineData("Igpt:Cluster:ClusterId", "given 'a/b'", "a/b")]
    public async Task SiloAndGateway_BrokenSetting_SayRuleAndValueAndExitWithTwo(string setting, string words, string value)
    {
        (string Name, string Value) variable = (setting.Replace(":", "__", StringComparison.Ordinal), value);
        foreach ((string project, string[] arguments) in new[] { ("Silo", new[] { "--model", Bundled }), ("Gateway", []) })
        {
            (int code, string output) = await ServerProcess.RunToEndAsync(project, arguments, variable);
            Assert.StartsWith($"igpt {project.ToLowerInvariant()}: {setting}: ", output, StringComparison.Ordinal);
            Assert.EndsWith(words, output, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', output);
            Assert.Equal(2, code);
        }
    }

    [Fact]
    public async Task SiloAndGateway_Started_WatchNoFiles()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "open files are listed under Linux");
        await using ServerProcess silo = await ServerProcess.StartSiloAsync("--model", Bundled);
        await using ServerProcess gateway = await ServerProcess.StartGatewayAsync(silo);
        foreach (ServerProcess server in new[] { silo, gateway })
        {
            string?[] open = [.. Directory.EnumerateFileSystemEntries($"/proc/{server.Process.Id}/fd").Select(file => new FileInfo(file).LinkTarget)];
            Assert.Contains(open, target => target?.StartsWith("socket:", StringComparison.Ordinal) ?? false);
            Assert.DoesNotContain("anon_inode:inotify", open);
        }
    }

    [Theory]
    [InlineData("lr=0.1,run", "", "lr=0.1,run")]
    [InlineData("a,dtype=b", ",dtype=bfloat16", "a,dtype=b")]
    [InlineData("c=d", ",kv-dtype=bfloat16,dtype=int8", "named")]
    public async Task Silo_ModelPathWithEqualsSignsAndCommas_IsServed(string name, string types, string served)
    {
        using var temporary = new TempFolder("igpt-test=x,y-");
        string root = temporary.Path;
        string folder = Directory.CreateDirectory(Path.Combine(root, name)).FullName;
        foreach (string file in Directory.EnumerateFiles(Bundled))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        await using ServerProcess server = await ServerProcess.StartSiloAsync("--model", $"{(served == name ? "" : $"{served}=")}{folder}{types}");
        using GrpcChannel channel = server.Connect();
        ListModelsResponse models = await new Models.ModelsClient(channel).ListAsync(new ListModelsRequest(), cancellationToken: Cancelled);
        Assert.Equal(served, Assert.Single(models.Models).Name);
    }

    [Fact]
    public async Task Silo_OneOfSeveralCheckpointsBroken_SaysWhich()
    {
        using var temporary = new TempFolder();
        string folder = temporary.Path;
        await File.WriteAllTextAsync(Path.Combine(folder, "config.json"), """{"n_layer": -3}""", Cancelled);
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", ["--model", Bundled, "--model", folder]);
        Assert.StartsWith($"igpt silo: {folder}: config.json: ", output, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }

    [Fact]
    public async Task Silo_NoBundledModel_AsksForOneAndExitsWithTwo()
    {
        using var temporary = new TempFolder();
        string copy = temporary.Path;
        // The program without the models that come with it. Without libtorch's natives too, which are large; their list would be missed first.
        foreach (FileInfo file in new DirectoryInfo(ServerProcess.FolderOf("Silo")).EnumerateFiles().Where(file => file.Length < 8 << 20 && !file.Name.EndsWith(".deps.json", StringComparison.Ordinal)))
        {
            file.CopyTo(Path.Combine(copy, file.Name));
        }

        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", [], copy);
        Assert.StartsWith("igpt silo: no bundled model ", output, StringComparison.Ordinal);
        Assert.Contains("--model", output, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }

    [Theory]
    [InlineData("tiny-random")]
    [InlineData("tiny-random-classifier")]
    public async Task Demo_WithoutGeneratorOrClassifier_Fails(string model)
    {
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", ["--demo", "--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", model)]);
        Assert.Contains("igpt silo: the demo needs a model that generates and one with a head", output, StringComparison.Ordinal);
        Assert.Equal(1, code);
    }

    [Fact]
    public async Task Silo_JoiningWithWeightsThatCannotBeLoaded_FailsThoughAnotherIsReady()
    {
        using var temporary = new TempFolder();
        string folder = temporary.Path;
        foreach (string file in Directory.EnumerateFiles(Bundled))
        {
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        }

        // All bits set is a NaN, which only loading finds.
        string weights = Path.Combine(folder, "model.safetensors");
        byte[] bytes = await File.ReadAllBytesAsync(weights, Cancelled);
        bytes.AsSpan(^64..).Fill(0xFF);
        await File.WriteAllBytesAsync(weights, bytes, Cancelled);
        await using ServerProcess first = await ServerProcess.StartSiloAsync("--model", Bundled);
        var start = await Assert.ThrowsAnyAsync<Exception>(() => ServerProcess.JoinSiloAsync(first, "--model", $"tiny-random={folder}"));
        Assert.Contains("exited with 1", start.Message, StringComparison.Ordinal);
        Assert.Contains("could not start", start.Message, StringComparison.Ordinal);
        Assert.Contains("finite", start.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Silo_Joining_IsReadyOnceItsOwnReplicaIs()
    {
        await using ServerProcess first = await ServerProcess.StartSiloAsync("--model", Bundled);
        await using ServerProcess second = await ServerProcess.JoinSiloAsync(first, "--model", Bundled);
        using GrpcChannel channel = second.Connect();
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
        Assert.Equal(2, cluster.Replicas.Select(replica => replica.Silo).Distinct().Count());
        Assert.All(cluster.Replicas, replica => Assert.Equal("ready", replica.State, ignoreCase: true));
    }

    [Theory]
    [InlineData("redis://:s3cret@store:6379", "password=SECRET")]
    [InlineData("user:s3cret@store:6379", "'@'")]
    [InlineData("store:6379,passwort=s3cret", "may be a secret")]
    public async Task Silo_StoreAddressNotUnderstood_SaysTheRuleAndNotTheSecret(string address, string words)
    {
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", ["--model", Bundled], ("Igpt__Store__Enabled", "true"), ("Igpt__Store__Address", address));
        Assert.StartsWith("igpt silo: Igpt:Store:Address ", output, StringComparison.Ordinal);
        Assert.Contains(words, output, StringComparison.Ordinal);
        Assert.DoesNotContain("s3cret", output, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }

    [Theory]
    [InlineData("--store", "store:6379,password=s3cret")]
    [InlineData("--Igpt:Store:Address=store:6379,ssl=true,password=s3cret")]
    public async Task SiloAndGateway_PasswordOnTheCommandLine_IsRefusedAndNotTold(params string[] arguments)
    {
        foreach (string project in new[] { "Silo", "Gateway" })
        {
            (int code, string output) = await ServerProcess.RunToEndAsync(project, arguments);
            Assert.StartsWith($"igpt {project.ToLowerInvariant()}: --store: every user of this machine can read a password on a command line: ", output, StringComparison.Ordinal);
            Assert.DoesNotContain("s3cret", output, StringComparison.Ordinal);
            Assert.Equal(2, code);
        }
    }

    [Theory]
    [InlineData("a,b", "must hold one line, the password, without a comma")]
    [InlineData("", "must hold one line, the password, without a comma")]
    [InlineData(null, "there is no such file")]
    public async Task Silo_PasswordFileThatHoldsNone_SaysTheRule(string? content, string words)
    {
        using var temporary = new TempFolder();
        string folder = temporary.Path;
        string file = Path.Combine(folder, "secret");
        await (content is null ? Task.CompletedTask : File.WriteAllTextAsync(file, content, Cancelled));
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", ["--model", Bundled, "--store", "127.0.0.1:1", "--store-password-file", file], ("Igpt__Store__Enabled", "true"));
        Assert.StartsWith($"igpt silo: Igpt:Store:PasswordFile: {file}", output, StringComparison.Ordinal);
        Assert.Contains(words, output, StringComparison.Ordinal);
        Assert.Equal(2, code);
    }

    [Theory]
    [InlineData("Silo")]
    [InlineData("Gateway")]
    public async Task SiloAndGateway_BrokenSettingsFile_SayWhereInOneLine(string project)
    {
        using var temporary = new TempFolder();
        string folder = temporary.Path;
        string file = Path.Combine(folder, "appsettings.json");
        await File.WriteAllTextAsync(file, "{\n  broken\n}", Cancelled);
        await AssertRefusedAsync($"{file}: is not JSON: line 2, column 3: ");
        await File.WriteAllTextAsync(file, "[1]", Cancelled);
        await AssertRefusedAsync($"{file}: must be a JSON object; given Array");
        File.Delete(file);
        using Process pipe = Process.Start("mkfifo", [file]);
        await pipe.WaitForExitAsync(Cancelled);
        await AssertRefusedAsync($"{file}: ");

        async Task AssertRefusedAsync(string words)
        {
            (int code, string output) = await ServerProcess.RunToEndInAsync(folder, project, project == "Silo" ? ["--model", Bundled] : []);
            Assert.StartsWith($"igpt {project.ToLowerInvariant()}: {words}", output, StringComparison.Ordinal);
            Assert.DoesNotContain('\n', output);
            Assert.Equal(2, code);
        }
    }

    [Theory]
    [InlineData("/proc/igpt")]
    [InlineData("/dev/null")]
    [InlineData("/dev/null/igpt")]
    public async Task Silo_DataFolderThatCannotBeWritten_SaysSoInOneLine(string folder)
    {
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", ["--model", Bundled, "--data", folder], ("Igpt__Store__Enabled", "true"));
        Assert.StartsWith($"igpt silo: Igpt:Store:Folder: data cannot be kept in {folder}: ", output, StringComparison.Ordinal);
        Assert.EndsWith("(--data FOLDER), or keep nothing (--no-store)", output, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', output);
        Assert.Equal(2, code);
    }

    [Fact]
    public async Task Silo_JsonLogs_AreAnObjectWithATimeInEachLine()
    {
        using var temporary = new TempFolder();
        string home = temporary.Path;
        await using ServerProcess server = await ServerProcess.StartSiloInHomeAsync(home, [("Logging__Console__FormatterName", "json")], "--model", Bundled);
        server.Signal("TERM");
        Assert.Equal(0, await server.EndAsync());
        string[] logged = [.. server.Output.Split('\n').Where(line => line.Length > 0 && !line.StartsWith("Ready: ", StringComparison.Ordinal))];
        Assert.NotEmpty(logged);
        Assert.All(logged, line =>
        {
            using var entry = System.Text.Json.JsonDocument.Parse(line);
            Assert.Matches(@"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry.RootElement.GetProperty("Timestamp").GetString());
        });
    }

    [Fact]
    public async Task Gateway_WithoutSilos_NamesWhatIsNotReady()
    {
        using var temporary = new TempFolder();
        string folder = temporary.Path;
        await using ServerProcess gateway = ServerProcess.LaunchGatewayOnFolder(folder);
        using var client = new HttpClient();
        string? said = null;
        await gateway.UntilAsync("it answers", async () =>
        {
            try
            {
                using HttpResponseMessage response = await client.GetAsync(new Uri(gateway.HttpAddress!, "/readyz"), Cancelled);
                said = await response.Content.ReadAsStringAsync(Cancelled);
                return response.StatusCode == System.Net.HttpStatusCode.ServiceUnavailable;
            }
            catch (HttpRequestException)
            {
                return false; // not listening yet
            }
        });
        Assert.Matches("^Unhealthy\nreplicas: .+$", said);
        gateway.Signal("TERM");
        Assert.Equal(0, await gateway.EndAsync());
    }

    [Fact]
    public async Task Silo_DotnetNotInPath_StartsItsStore()
    {
        using var temporary = new TempFolder();
        string root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        await using ServerProcess server = await ServerProcess.StartSiloByItsExecutableAsync(temporary.Path, [("PATH", temporary.Path), ("DOTNET_ROOT", root)], "--model", Bundled);
        server.Signal("TERM");
        Assert.Equal(0, await server.EndAsync());
    }

    [Fact]
    public async Task Silo_UserWithoutALocalShareFolder_MakesIt()
    {
        using var temporary = new TempFolder();
        string home = temporary.Path;
        await using ServerProcess server = await ServerProcess.StartSiloInHomeAsync(home, "--model", Bundled);
        Assert.True(Directory.Exists(Path.Combine(home, ".local", "share", "igpt", server.ClusterId)), server.Output);
        server.Signal("TERM");
        Assert.Equal(0, await server.EndAsync());
    }

    static async Task TerminateAsync(ServerProcess server)
    {
        using Process kill = Process.Start("kill", ["-TERM", server.Process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Cancelled);
        Assert.Equal(0, kill.ExitCode);
    }
}
