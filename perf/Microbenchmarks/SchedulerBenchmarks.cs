using BenchmarkDotNet.Attributes;
using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Engine.Scheduling;

namespace IgptCluster.Microbenchmarks;

/// <summary>What the engine does beside the model in one step of decoding sequences: planning, drawing, handing out.</summary>
[MemoryDiagnoser]
public class SchedulerBenchmarks
{
    static readonly ModelShape Shape = new() { VocabularySize = 513, LogitCount = 512, PositionCount = 1024, LayerCount = 24, EmbeddingSize = 512 };

    ChunkOutput[] _outputs = [];
    Scheduler _scheduler = null!;
    int _made;

    [Params(1, 32, 256)]
    public int Sequences { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var output = new ChunkOutput { Logits = Enumerable.Range(0, 512).Select(i => MathF.Sin(i * 7.3f) * 4).ToArray() };
        _outputs = [.. Enumerable.Repeat(output, Sequences)];
        Start();
    }

    [Benchmark]
    public int Step()
    {
        _scheduler.Schedule(TimeSpan.Zero);
        int ended = _scheduler.Apply(_outputs, TimeSpan.Zero);
        if (++_made == 1000)
            Start();
        return ended;
    }

    void Start()
    {
        (_scheduler, _made) = (new Scheduler(new EngineOptions(), Shape, Sequences), 0);
        for (int index = 0; index < Sequences; index++)
        {
            _scheduler.Add(new GenerationSequence(
                new GenerationRequest { Id = new SequenceId($"{index}"), Prompt = new[] { index }, MaxNewTokens = 1020, Sampling = new SamplingParameters { Seed = (ulong)index } },
                Shape.StartToken,
                TimeSpan.Zero));
        }
    }
}
