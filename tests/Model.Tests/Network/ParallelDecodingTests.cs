using IgptCluster.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Cuda;
using IgptCluster.Model.Tests.Cuda;
using IgptCluster.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class ParallelDecodingTests
{
    // A model whose pictures have patterns, so that guesses are right in long runs and wrong at edges.
    static readonly string Shapes = Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(GoldenSet.Bundled))!, "assets", "models", "shapes");

    [Theory]
    [InlineData(ScalarType.Float32, ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16, ScalarType.BFloat16)]
    [InlineData(ScalarType.Int8, ScalarType.BFloat16)]
    public async Task Generate_OnProcessorsWithGuesses_GivesTheTokensOfPlainDecoding(ScalarType weights, ScalarType cache)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Shapes);
        Assert.SkipUnless(CpuNetwork.Fits(checkpoint.Config), "this processor has no AVX2");
        IModelRunner Create() =>
            new CpuModelRunner(new CpuNetwork(checkpoint.Config, checkpoint.Architecture, weights, checkpoint), new CpuRunnerOptions { Slots = 4, Threads = 2, KeyValueType = cache });
        (int[][] plain, _) = await RunAsync(Create, null, 500);
        (int[][] guessed, EngineStatus status) = await RunAsync(Create, new ContextDrafter(32), 500);
        Assert.Equal(plain, guessed);
        Assert.True(status.AcceptedTokens > 200, $"{status.AcceptedTokens} of {status.DraftedTokens}");
        Assert.True(status.DraftedTokens > status.AcceptedTokens);
    }

    [Fact]
    public async Task Generate_OnTheCudaShimWithGuesses_GivesTheTokensOfPlainDecoding()
    {
        Assert.SkipWhen(HostDevice.WhyNot.Length > 0, HostDevice.WhyNot);
        using Checkpoint checkpoint = Checkpoint.Open(Path.Combine(GoldenSet.Bundled, "models", "sharded-65"));
        using var device = new HostDevice();
        IModelRunner Create() => new CudaModelRunner(device, new CudaNetwork(device, checkpoint.Config, checkpoint.Architecture, ScalarType.Float32, checkpoint), 4);
        (int[][] plain, _) = await RunAsync(Create, null, 24);
        (int[][] guessed, EngineStatus status) = await RunAsync(Create, new ContextDrafter(8), 24);
        Assert.Equal(plain, guessed);
        Assert.True(status.DraftedTokens > 0);
    }

    // More sequences than slots; greedy and sampled ones, with prompts, forced pixels and prefixes in common.
    static async Task<(int[][] Tokens, EngineStatus Status)> RunAsync(Func<IModelRunner> create, IDrafter? drafter, int tokens)
    {
        await using var loop = new EngineLoop(new EngineOptions(), create, TimeProvider.System, NullLogger.Instance, () => drafter);
        await loop.StartAsync();
        var streams = new List<Generation>();
        for (int index = 0; index < 6; index++)
        {
            var request = new GenerationRequest
            {
                Id = new SequenceId($"{index}"),
                Prompt = Enumerable.Range(0, index % 3 * 20).Select(i => i / 10).ToArray(),
                MaxNewTokens = tokens - (index * 3),
                Sampling = new SamplingParameters { Temperature = index == 0 ? 0 : 0.8 + (0.1 * index), TopK = index == 4 ? 20 : 0, TopP = index == 5 ? 0.9 : 1, Seed = 9, Sample = (uint)index },
                Forced = index % 2 == 0 ? new Dictionary<int, int>() : Enumerable.Range(0, 8).ToDictionary(i => 3 + (i * 7 * index), i => i),
            };
            Assert.Equal(SubmitOutcome.Accepted, loop.TrySubmit(request, out Generation? stream));
            streams.Add(stream!);
        }

        var made = new List<int[]>();
        foreach (Generation stream in streams)
        {
            made.Add(await stream.Tokens.ReadAllAsync(TestContext.Current.CancellationToken).Select(token => token.Token).ToArrayAsync(TestContext.Current.CancellationToken));
        }

        return ([.. made], loop.Status);
    }
}
