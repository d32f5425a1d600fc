using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Tests;

public sealed class ContextDrafterTests
{
    const int Width = 8;
    static readonly SamplingParameters Greedy = new() { Temperature = 0 };

    [Fact]
    public void Guess_AfterLikePixels_GivesWhatFollowedThem()
    {
        // Stripes: from the second row on, all is as it was above.
        int[] picture = [.. Enumerable.Range(0, 64).Select(i => i % Width / 2)];
        ISequenceDrafter drafter = new ContextDrafter(Width).Begin(Greedy);
        drafter.Learn(picture.AsSpan(0, 32), 0);
        for (int position = 32; position < 64; position++)
        {
            Assert.Equal(picture[position], drafter.Guess(picture.AsSpan(0, position), out double confidence));
            Assert.InRange(confidence, 0.6, 1);
        }
    }

    [Fact]
    public void Guess_PictureWithoutPatterns_KnowsThatItIsWrong()
    {
        var random = new Random(1);
        int[] picture = [.. Enumerable.Range(0, 1024).Select(_ => random.Next(512))];
        ISequenceDrafter drafter = new ContextDrafter(32).Begin(new SamplingParameters());
        drafter.Learn(picture, 0);
        drafter.Guess(picture.AsSpan(0, 1000), out double confidence);
        Assert.InRange(confidence, 0, 0.05);
    }

    [Fact]
    public void Guess_TableOfOtherPictures_IsUsedFromTheFirstPixelOn()
    {
        var counts = new Dictionary<ulong, ContextEntry>();
        ulong[] keys = new ulong[PixelContext.Orders];
        PixelContext.Write([], Width, keys);
        ContextEntry entry = default;
        entry.Add(9, 5);
        entry.Add(2, 3);
        counts[keys[0]] = entry;
        var table = new ContextTable(counts);
        Assert.Equal(9, new ContextDrafter(Width, table).Begin(Greedy).Guess([], out _));
        Assert.Equal(1, table.ContextCount);
        Assert.Equal(8, table.Find(keys[0]).Total);
        Assert.Equal(0, table.Find(keys[0] + 1).Total);
    }

    [Fact]
    public void Guess_ColoursDrawnEvenly_AgreesBySharingTheDrawsRandomNumber()
    {
        // Each pixel takes one of two colours, evenly: the most frequent is right for half of them, the one that the same number picks for nearly all.
        var sampler = new Sampler(4);
        var sampling = new SamplingParameters { Seed = 3, Sample = 1 };
        float[] logits = [float.NegativeInfinity, 0, 0, float.NegativeInfinity];
        int[] picture = new int[1024];
        for (int position = 0; position < picture.Length; position++)
        {
            Assert.True(sampler.TrySample(logits, sampling, position, out picture[position]));
        }

        ISequenceDrafter drafter = new ContextDrafter(32).Begin(sampling);
        drafter.Learn(picture.AsSpan(0, 500), 0);
        int right = 0;
        for (int position = 500; position < picture.Length; position++)
        {
            right += drafter.Guess(picture.AsSpan(0, position), out double confidence) == picture[position] ? 1 : 0;
            Assert.InRange(confidence, 0.3, 1);
            drafter.Learn(picture.AsSpan(0, position + 1), position);
        }

        Assert.InRange(right, 0.75 * 524, 524);
    }

    [Fact]
    public void Write_NeighboursOfAnyColours_GiveKeysOfTheirOwn()
    {
        var seen = new Dictionary<ulong, string>();
        ulong[] keys = new ulong[PixelContext.Orders];
        for (int left = 0; left < 20; left++)
        {
            for (int up = 0; up < 20; up++)
            {
                PixelContext.Write([up, up, 7, left], 3, keys);
                string[] contexts = [$"7 of {left} {up}", $"4 of {left} {up}", $"2 of {left} {up}", $"1 of {up}"];
                for (int order = 0; order < keys.Length; order++)
                {
                    Assert.NotEqual(0UL, keys[order]);
                    Assert.Equal(contexts[order], seen.TryGetValue(keys[order], out string? before) ? before : seen[keys[order]] = contexts[order]);
                }
            }
        }
    }

    [Fact]
    public void Add_MoreColoursThanAnEntryHolds_KeepsTheFrequent()
    {
        ContextEntry entry = default;
        for (int round = 0; round < 100; round++)
        {
            entry.Add(1);
            entry.Add(2);
            entry.Add(3 + round);
        }

        (int Colour, int Count)[] held = [.. Enumerable.Range(0, ContextEntry.Most).Select(i => (entry.Colour(i), entry.Count(i)))];
        Assert.Contains((1, 100), held);
        Assert.Contains((2, 100), held);
        entry.Add(1, int.MaxValue - 100);
        Assert.Equal(ushort.MaxValue, Enumerable.Range(0, ContextEntry.Most).Max(entry.Count));
    }

    [Fact]
    public void GuessAndLearn_AllocateNothing()
    {
        int[] picture = [.. Enumerable.Range(0, 64).Select(i => i % 5)];
        ISequenceDrafter drafter = new ContextDrafter(Width).Begin(new SamplingParameters { Temperature = 0.8 });
        Feed();
        long before = GC.GetAllocatedBytesForCurrentThread();
        Feed();
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());

        void Feed()
        {
            for (int position = 1; position < picture.Length; position++)
            {
                drafter.Learn(picture.AsSpan(0, position), position - 1);
                drafter.Guess(picture.AsSpan(0, position), out _);
            }
        }
    }
}
