using Grpc.Net.Client;
using IgptCluster.Protocol.V1;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Silos whose models run on CUDA devices, which are this processor: driver calls, kernels, graphs and faults are those of a real one.</summary>
public sealed class CudaServingTests
{
    const int Made = 24;

    static readonly string Model = Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random");

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Silo_OnCuda_MakesTheTokensThatProcessorsMake()
    {
        SkipWithoutDriver();
        int[] expected;
        await using (ServerProcess processor = await ServerProcess.StartSiloAsync("--model", Model))
        {
            using GrpcChannel own = processor.Connect();
            expected = await GenerateAsync(own);
        }

        await using ServerProcess server = await StartAsync([("IGPT_SHIM_DEVICES", "2")]);
        using GrpcChannel channel = server.Connect();
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
        Assert.Equal(["cuda:0", "cuda:1"], cluster.Silos[0].Devices.Select(device => device.Name));
        Assert.All(cluster.Silos[0].Devices, device =>
        {
            Assert.Equal($"processor as CUDA device {device.Name[^1]}", device.Description);
            Assert.Equal(1ul << 30, device.MemoryTotal);
            Assert.InRange(device.MemoryFree, 1ul << 28, device.MemoryTotal - (1ul << 24)); // without weights and slots
            Assert.Equal(0.25, device.Utilization);
        });
        Assert.Equal(["cuda:0", "cuda:1"], cluster.Replicas.Select(replica => replica.Device).Order());
        Assert.Equal(expected, await GenerateAsync(channel));
        Assert.Contains("runs on cuda:0 by the CUDA runner", server.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Generate_DeviceFails_GoesOnWithTheSameTokens()
    {
        SkipWithoutDriver();
        DirectoryInfo folder = Directory.CreateTempSubdirectory("igpt-fault-");
        try
        {
            string fault = Path.Combine(folder.FullName, "fault");
            await using ServerProcess server = await StartAsync([("IGPT_SHIM_FAULT", fault)]);
            using GrpcChannel channel = server.Connect();
            int[] undisturbed = await GenerateAsync(channel);
            int seen = 0;
            int[] disturbed = await GenerateAsync(channel, happened =>
            {
                if (happened.Tokens is { } tokens && (seen += tokens.Ids.Count) is > 0 and < Made && !File.Exists(fault))
                    File.WriteAllText(fault, "");
            });
            Assert.Equal(undisturbed, disturbed);
            Assert.Contains("CUDA_ERROR_ECC_UNCORRECTABLE", server.Output, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Silo_DeviceWithLittleMemory_TakesFewerSlots()
    {
        // A slot has 2 MiB: 100 of them do not fit.
        SkipWithoutDriver();
        await using ServerProcess server = await StartAsync([("IGPT_SHIM_MEMORY", $"{100 << 20}")], "--slots", "100");
        using GrpcChannel channel = server.Connect();
        ClusterDescription cluster = await new Cluster.ClusterClient(channel).DescribeAsync(new DescribeClusterRequest(), cancellationToken: Cancelled);
        Assert.InRange(cluster.Replicas[0].SlotsTotal, 10u, 60u);
        Assert.Contains($"{cluster.Replicas[0].SlotsTotal} KV slots, not 100", server.Output, StringComparison.Ordinal);
        Assert.Equal(Made, (await GenerateAsync(channel)).Length);
    }

    [Fact]
    public async Task Silo_NoDriver_SaysWhatIsMissing()
    {
        Assert.SkipWhen(System.Runtime.InteropServices.NativeLibrary.TryLoad("libcuda.so.1", out _), "there is a CUDA driver");
        (int code, string output) = await ServerProcess.RunToEndAsync("Silo", ["--device", "cuda", "--model", Model, "--grpc", "127.0.0.1:0", "--http", "127.0.0.1:0"]);
        Assert.NotEqual(0, code);
        Assert.Contains("libcuda.so.1 is not found", output, StringComparison.Ordinal);
    }

    static void SkipWithoutDriver() => Assert.SkipWhen(ShimDriver.WhyNot.Length > 0, ShimDriver.WhyNot);

    static Task<ServerProcess> StartAsync((string, string?)[] environment, params string[] arguments) =>
        ServerProcess.StartSiloInAsync([ShimDriver.Environment, .. environment], ["--device", "cuda", "--model", Model, .. arguments]);

    static async Task<int[]> GenerateAsync(GrpcChannel channel, Action<GenerateEvent>? each = null)
    {
        var request = new GenerateRequest { MaxNewTokens = Made, Sampling = new SamplingParameters { Temperature = 1, TopK = 40, Seed = 5 } };
        GenerateClient.Sample[] samples = await GenerateClient.GenerateAsync(channel, request, Cancelled, each);
        return [.. Assert.Single(samples).Tokens];
    }
}
