using System.Diagnostics;
using System.Globalization;
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
        await server.Process.WaitForExitAsync(cancelled);
        Assert.True(server.Process.ExitCode == 0, $"it exited with {server.Process.ExitCode}\n{server.Output}");
    }

    static async Task TerminateAsync(ServerProcess server)
    {
        using Process kill = Process.Start("kill", ["-TERM", server.Process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync(Cancelled);
        Assert.Equal(0, kill.ExitCode);
    }
}
