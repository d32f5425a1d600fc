using IgptCluster.Contracts;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Tests;

public sealed class GenerationPlannerTests : IDisposable
{
    static readonly ServedModel Model = new(
        new ModelDescription
        {
            Name = "toy",
            Version = "v",
            ConfigJson = "",
            PreprocessorJson = "",
            ProbeLayer = 0,
            VocabularySize = 17,
            PositionCount = 64,
            LayerCount = 1,
            EmbeddingSize = 4,
            CanGenerate = true,
        },
        Processor: null);

    readonly ImageReader _reader = new(Options.Create(new GatewayOptions()));

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task PlanAsync_WholeImage_KeepsTheUpperHalf()
    {
        GenerationSpec spec = Assert.Single(await PlanAsync(new GenerateRequest { Prompt = Grid(64) }));
        Assert.Equal(32, spec.Prompt.Length);
        Assert.Equal((64, 8, 8), (spec.EndPosition, spec.Width, spec.Height));
        Assert.Equal((1, 1, 0), (spec.Sampling.Temperature, spec.Sampling.TopP, spec.Sampling.TopK));
    }

    [Fact]
    public async Task PlanAsync_BeginningOfAnImage_KeepsAllOfIt()
    {
        GenerationSpec spec = Assert.Single(await PlanAsync(new GenerateRequest { Prompt = Grid(13), MaxNewTokens = 5 }));
        Assert.Equal((13, 18), (spec.Prompt.Length, spec.EndPosition));
    }

    [Fact]
    public async Task PlanAsync_Samples_DifferOnlyInTheirNumber()
    {
        GenerationSpec[] specs = await PlanAsync(new GenerateRequest { Prompt = Grid(10), Samples = 3 });
        Assert.Equal([0, 1, 2], specs.Select(spec => spec.Sample));
        Assert.Single(specs.Select(spec => spec.Sampling).Distinct());
    }

    [Fact]
    public async Task PlanAsync_NoSeed_DrawsAnother()
    {
        var request = new GenerateRequest { Prompt = Grid(10) };
        Assert.NotEqual((await PlanAsync(request))[0].Sampling.Seed, (await PlanAsync(request))[0].Sampling.Seed);
    }

    public static TheoryData<string, Action<GenerateRequest>> Broken => new()
    {
        { "prompt_tokens", request => request.PromptTokens = 65 },
        { "prompt_tokens", request => request.PromptTokens = 64 },
        { "max_new_tokens", request => request.MaxNewTokens = 0 },
        { "samples", request => request.Samples = 65 },
        { "priority", request => request.Priority = 101 },
        { "sampling.temperature", request => request.Sampling = new SamplingParameters { Temperature = -1 } },
        { "sampling.temperature", request => request.Sampling = new SamplingParameters { Temperature = double.NaN } },
        { "sampling.top_p", request => request.Sampling = new SamplingParameters { TopP = 0 } },
        { "forced[0].position", request => request.Forced.Add(new Protocol.V1.ForcedToken { Position = 3 }) },
        { "forced[0].token", request => request.Forced.Add(new Protocol.V1.ForcedToken { Position = 40, Token = 16 }) },
        { "forced[1].position", request => request.Forced.AddRange(Enumerable.Repeat(new Protocol.V1.ForcedToken { Position = 40 }, 2)) },
        { "session_ttl", request => request.SessionTtl = new Google.Protobuf.WellKnownTypes.Duration { Seconds = -1 } },
        { "session_ttl", request => request.SessionTtl = new Google.Protobuf.WellKnownTypes.Duration { Nanos = 2_000_000_000 } },
        { "session_ttl", request => request.SessionTtl = new Google.Protobuf.WellKnownTypes.Duration { Nanos = -1 } },
        { "session_ttl", request => request.SessionTtl = new Google.Protobuf.WellKnownTypes.Duration { Seconds = long.MaxValue } },
        { "prompt.tokens.ids[2]", request => request.Prompt.Tokens.Ids[2] = 16 },
        { "prompt.tokens.ids", request => request.Prompt.Tokens.Ids.Add(0) },
        { "prompt.tokens", request => request.Prompt.Tokens.Height = 9 },
        { "prompt.tokens.width", request => request.Prompt.Tokens.Width = 0 },
        { "prompt", request => request.Prompt = new ImageInput() },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task PlanAsync_BrokenRule_NamesItsField(string field, Action<GenerateRequest> damage)
    {
        var request = new GenerateRequest { Prompt = Grid(64) };
        damage(request);
        IgptException refused = await Assert.ThrowsAsync<IgptException>(() => PlanAsync(request));
        Assert.Equal(IgptErrorCode.InvalidArgument, refused.Code);
        Assert.Equal(field, refused.Field);
    }

    public void Dispose() => _reader.Dispose();

    Task<GenerationSpec[]> PlanAsync(GenerateRequest request) =>
        new GenerationPlanner(_reader, Options.Create(new GatewayOptions())).PlanAsync(Model, request, "tests", Cancelled);

    static ImageInput Grid(int tokens) => new() { Tokens = new TokenGrid { Width = 8, Height = 8, Ids = { Enumerable.Range(0, tokens).Select(i => (uint)i % 16) } } };
}
