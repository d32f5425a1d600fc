using BenchmarkDotNet.Attributes;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Microbenchmarks;

/// <summary>One token of 512 colours.</summary>
[MemoryDiagnoser]
public class SamplerBenchmarks
{
    readonly Sampler _sampler = new(512);
    readonly float[] _logits = [.. Enumerable.Range(0, 512).Select(i => MathF.Sin(i * 7.3f) * 4)];
    int _position;

    [Benchmark(Baseline = true)]
    public int Greedy() => Draw(new SamplingParameters { Temperature = 0 });

    [Benchmark]
    public int Temperature() => Draw(new SamplingParameters());

    [Benchmark]
    public int TopK() => Draw(new SamplingParameters { TopK = 40 });

    [Benchmark]
    public int TopP() => Draw(new SamplingParameters { TopP = 0.9 });

    [Benchmark]
    public int TopKAndTopP() => Draw(new SamplingParameters { TopK = 40, TopP = 0.9 });

    int Draw(SamplingParameters sampling)
    {
        _sampler.TrySample(_logits, sampling, _position++, out int token);
        return token;
    }
}
