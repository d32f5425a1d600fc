using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Tests.Shared;

/// <summary>
/// A runner without tensors that remembers what each slot holds and answers by a hash of it: outputs depend on every token fed so far, so
/// a wrong slot, position, copy or order changes what comes out.
/// </summary>
internal sealed class FakeModelRunner(ModelShape shape, int slots) : IModelRunner
{
    readonly List<int>[] _slots = [.. Enumerable.Range(0, slots).Select(_ => new List<int>())];
    readonly Lock _lock = new();
    readonly List<StepPlan> _plans = [];

    public static ModelShape SmallShape { get; } = new()
    {
        VocabularySize = 17,
        LogitCount = 16,
        PositionCount = 64,
        LayerCount = 2,
        EmbeddingSize = 4,
    };

    public ModelShape Shape => shape;

    public int SlotCount => slots;

    /// <summary>Called on the engine's thread before each step: to hold it there, or to throw.</summary>
    public Action<StepPlan> BeforeStep { get; set; } = _ => { };

    /// <summary>Input positions whose logits are not a number, in every slot whose first colour is the given one.</summary>
    public (int FirstColour, int Position)? Poison { get; set; }

    /// <summary>Whether the logits after some inputs are not a number.</summary>
    public Func<IReadOnlyList<int>, bool> PoisonWhere { get; set; } = _ => false;

    /// <summary>Whether it draws colours itself, as a runner on a device does.</summary>
    public bool Draws { get; set; }

    public bool IsDisposed { get; private set; }

    public StepPlan[] Plans
    {
        get
        {
            lock (_lock)
            {
                return [.. _plans];
            }
        }
    }

    /// <summary>The logits after some inputs: what the runner answers, for tests to compare with.</summary>
    public static float[] LogitsAfter(IReadOnlyList<int> inputs, int count)
    {
        float[] logits = new float[count];
        for (int i = 0; i < count; i++)
        {
            uint hash = 2166136261;
            foreach (int token in inputs.Append(1000 + i))
            {
                hash = unchecked((hash ^ (uint)token) * 16777619);
            }

            logits[i] = (hash >> 8) / (float)(1 << 24) * 8;
        }

        return logits;
    }

    /// <summary>The tokens a greedy generation makes behind a prompt.</summary>
    public static int[] GreedyAfter(ModelShape shape, IEnumerable<int> prompt, int count)
    {
        List<int> inputs = [shape.StartToken, .. prompt];
        for (int i = 0; i < count; i++)
        {
            float[] logits = LogitsAfter(inputs, shape.LogitCount);
            inputs.Add(Array.IndexOf(logits, logits.Max()));
        }

        return [.. inputs[^count..]];
    }

    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan)
    {
        BeforeStep(plan);
        lock (_lock)
        {
            _plans.Add(new StepPlan([.. plan.Copies], [.. plan.Chunks]));
        }

        foreach (PrefixCopy copy in plan.Copies)
        {
            Require(_slots[copy.SourceSlot].Count >= copy.Length, $"copies {copy.Length} of {_slots[copy.SourceSlot].Count}");
            List<int> prefix = _slots[copy.SourceSlot][..copy.Length];
            _slots[copy.TargetSlot].Clear();
            _slots[copy.TargetSlot].AddRange(prefix);
        }

        Require(plan.Chunks.Select(chunk => chunk.Slot).Distinct().Count() == plan.Chunks.Count, "a slot occurs twice");
        return [.. plan.Chunks.Select(Run)];
    }

    public void Dispose() => IsDisposed = true;

    ChunkOutput Run(SequenceChunk chunk)
    {
        List<int> slot = _slots[chunk.Slot];
        int[] tokens = chunk.Tokens.ToArray();
        Require(chunk.Start <= slot.Count, $"position {chunk.Start} follows {slot.Count}");
        Require(tokens.Length > 0 && chunk.Start + tokens.Length <= shape.PositionCount, "chunk length");
        slot.RemoveRange(chunk.Start, slot.Count - chunk.Start);
        Require(chunk.LogitRows >= 0 && chunk.LogitRows <= tokens.Length, "logit rows");
        Require(chunk.Targets.IsEmpty || chunk.Targets.Length == chunk.LogitRows, "targets");
        List<float[]> rows = [];
        foreach (int token in tokens)
        {
            slot.Add(token);
            rows.Add(LogitsAfter(slot, shape.LogitCount));
            if (PoisonWhere(slot) || (Poison is { } poison && slot.Count > 1 && slot[1] == poison.FirstColour && slot.Count - 1 >= poison.Position))
            {
                Array.Fill(rows[^1], float.NaN);
            }
        }

        rows = rows[^chunk.LogitRows..];
        bool isDrawn = Draws && chunk.Sampling is not null, isScored = !chunk.Targets.IsEmpty;
        int position = chunk.Start + tokens.Length - chunk.LogitRows;
        return new ChunkOutput
        {
            Logits = isDrawn || isScored ? default : rows.SelectMany(row => row).ToArray(),
            Drawn = isDrawn ? rows.Select((row, index) => new Sampler(shape.ColourCount).TrySample(row, chunk.Sampling!, position + index, out int drawn) ? drawn : ChunkOutput.NotFinite).ToArray() : default,
            LogProbabilities = isScored ? rows.Select((row, index) => -row[chunk.Targets.Span[index]]).ToArray() : default,
            PooledSums = chunk.PooledLayers.SelectMany(layer => Enumerable.Range(0, shape.EmbeddingSize).Select(i => tokens.Sum(token => (double)(token * (layer + 1)) + i)))
                .Zip(chunk.PooledBefore.IsEmpty ? Enumerable.Repeat(0.0, int.MaxValue) : chunk.PooledBefore.ToArray(), (sum, before) => sum + before).ToArray(),
        };
    }

    static void Require(bool holds, string rule)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"the plan breaks a rule: {rule}");
        }
    }
}
