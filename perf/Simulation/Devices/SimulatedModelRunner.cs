using IgptCluster.Engine.Runner;

namespace IgptCluster.Simulation.Devices;

/// <summary>
/// Runs steps on a device that is not there: each takes as long as its roofline says, and gives logits that were made once. What is drawn means nothing;
/// the scheduler, the sampler and all behind them do their usual work. The engine's thread only.
/// </summary>
public sealed class SimulatedModelRunner : IModelRunner
{
    const int Rows = 16;
    const int MostLogitRows = 64; // of a sequence: its next token and guesses
    const float Spread = 4; // standard deviations of a trained model's logits, roughly

    readonly StepRoofline _roofline;
    readonly TimeProvider _time;
    readonly Action<TimeSpan> _wait;
    readonly float[] _logits; // [Rows + most rows of a chunk, logits]: the same ones over and over
    readonly float[] _scores;
    readonly double[] _pooled;
    readonly List<ChunkOutput> _outputs = [];
    TimeSpan _overslept;

    /// <summary>A runner on a device of its own.</summary>
    /// <param name="roofline">What steps cost.</param>
    /// <param name="slotCount">KV slots, at least 1.</param>
    /// <param name="time">Clock that steps are timed by.</param>
    /// <param name="wait">Blocks for so long by that clock, a little more or less.</param>
    public SimulatedModelRunner(StepRoofline roofline, int slotCount, TimeProvider time, Action<TimeSpan> wait)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(slotCount, 1);
        (_roofline, SlotCount, _time, _wait) = (roofline, slotCount, time, wait);
        _logits = [.. Enumerable.Range(0, Rows + MostLogitRows).SelectMany(row => Enumerable.Range(0, Shape.LogitCount).Select(colour => Spread * MathF.Sin((colour * 7.3f) + (row % Rows * 1.9f))))];

        _scores = new float[Shape.PositionCount];
        _scores.AsSpan().Fill(-1);
        _pooled = new double[(Shape.LayerCount + 1) * Shape.EmbeddingSize];
    }

    /// <inheritdoc/>
    public ModelShape Shape => _roofline.Model.Shape;

    /// <inheritdoc/>
    public int SlotCount { get; }

    /// <summary>What the latest step cost.</summary>
    public StepTimes Latest { get; private set; }

    /// <summary>By how much steps took longer than they should since the start, as far as later ones could not make up for it: the host was too slow.</summary>
    public TimeSpan Lost { get; private set; }

    /// <inheritdoc/>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan) => Execute(plan, TimeSpan.Zero);

    /// <summary>Runs a step that begins with work of the host.</summary>
    /// <param name="plan">What to compute.</param>
    /// <param name="host">Time that the device waits for the host before.</param>
    /// <returns>One output per planned chunk; its memory is the runner's for good.</returns>
    public IReadOnlyList<ChunkOutput> Execute(StepPlan plan, TimeSpan host)
    {
        long started = _time.GetTimestamp();
        Latest = _roofline.Times(plan);
        TimeSpan due = Latest.Total + host;
        Answer(plan);

        // A thread that waits wakes late: the next step makes up for it, so that the mean is right.
        if (due > _overslept)
        {
            _wait(due - _overslept);
        }

        TimeSpan late = _overslept + _time.GetElapsedTime(started) - due;
        TimeSpan lost = late > due ? late - due : TimeSpan.Zero;
        (_overslept, Lost) = (late - lost, Lost + lost);
        return _outputs;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
    }

    void Answer(StepPlan plan)
    {
        _outputs.Clear();
        for (int index = 0; index < plan.Chunks.Count; index++)
        {
            SequenceChunk chunk = plan.Chunks[index];
            _outputs.Add(new ChunkOutput
            {
                Logits = chunk.Targets.IsEmpty ? _logits.AsMemory((chunk.Slot + chunk.Start + chunk.Tokens.Length - chunk.LogitRows) % Rows * Shape.LogitCount, chunk.LogitRows * Shape.LogitCount) : default,
                LogProbabilities = _scores.AsMemory(0, chunk.Targets.Length),
                PooledSums = _pooled.AsMemory(0, chunk.PooledLayers.Count * Shape.EmbeddingSize),
            });
        }
    }
}
