using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Engine.Tests;

/// <summary>Guesses what <see cref="FakeModelRunner"/>'s logits will give, as often as it is told to, and else any colour.</summary>
internal sealed class OracleDrafter(double share, int seed = 1) : IDrafter
{
    public string Name => "oracle";

    public ISequenceDrafter Begin(SamplingParameters sampling) => new Sequence(share, sampling, new Random(seed));

    sealed class Sequence(double share, SamplingParameters sampling, Random random) : ISequenceDrafter
    {
        static readonly ModelShape Shape = FakeModelRunner.SmallShape;

        readonly Sampler _sampler = new(Shape.ColourCount);

        public int Guess(ReadOnlySpan<int> raster, out double confidence)
        {
            confidence = share;
            float[] logits = FakeModelRunner.LogitsAfter([Shape.StartToken, .. raster], Shape.LogitCount);
            Assert.True(_sampler.TrySample(logits, sampling, raster.Length, out int token));
            return random.NextDouble() < share ? token : random.Next(Shape.ColourCount);
        }

        public void Learn(ReadOnlySpan<int> raster, int from)
        {
        }
    }
}
