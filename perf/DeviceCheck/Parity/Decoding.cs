using IgptCluster.Engine.Runner;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Parity;

/// <summary>Decoding by the runner that serves, with KV slots: one row of the case in each.</summary>
internal static class Decoding
{
    /// <summary>Compares one case of decoding or of greedy choices.</summary>
    /// <param name="one">The case.</param>
    /// <param name="create">Makes a runner with so many slots.</param>
    /// <param name="tally">Where to.</param>
    /// <returns>1, or 0 where the case is of another kind, of padding or positions, which serving has not, or has no logits.</returns>
    internal static int Compare(ParityCase one, Func<int, IModelRunner> create, ParityTally tally) => one.Kind switch
    {
        "decode" => CompareLogits(one, create, tally),
        "generate_greedy" => CompareGreedy(one, create, tally),
        _ => 0,
    };

    // The logits behind the prompt and behind each chunk.
    static int CompareLogits(ParityCase one, Func<int, IModelRunner> create, ParityTally tally)
    {
        if (one.HasInput("attention_mask") || one.HasInput("position_ids") || !one.HasOutput("logits"))
            return 0;
        int[][] rows = one.Rows("inputs", "input_ids");
        Tensor expected = one.Output("logits"); // [B, T − first, logits]
        int first = one.Number("stored_from_position");
        using IModelRunner runner = create(rows.Length);
        int start = 0;
        foreach (int length in new[] { one.Number("prefill") }.Concat(one.Numbers("chunks")))
        {
            int from = start;
            IReadOnlyList<ChunkOutput> outputs = runner.Execute(new StepPlan([], [.. rows.Select((row, slot) => Chunk(slot, from, row[from..(from + length)]))]));
            start += length;
            Tensor actual = stack(outputs.Select(output => tensor(output.Logits.ToArray()))); // [B, logits]
            tally.Add($"{one.Name} logits at {start - 1}", expected.select(1, start - 1 - first), actual);
        }

        return 1;
    }

    // The reference's greedy choices, each after the reference's own tokens: one other choice does not lead to others.
    static int CompareGreedy(ParityCase one, Func<int, IModelRunner> create, ParityTally tally)
    {
        int[][] rows = one.Rows("outputs", "sequences");
        int prompt = one.Rows("inputs", "input_ids")[0].Length;
        float[][] margins = [.. one.Floats("margins").Chunk(rows[0].Length - prompt)];
        using IModelRunner runner = create(rows.Length);
        int start = 0;
        for (int end = prompt; end < rows[0].Length; end++)
        {
            (int from, int to) = (start, end);
            IReadOnlyList<ChunkOutput> outputs = runner.Execute(new StepPlan([], [.. rows.Select((row, slot) => Chunk(slot, from, row[from..to]))]));
            for (int row = 0; row < rows.Length; row++)
                tally.AddGreedy(rows[row][end], outputs[row].Logits.Span, margins[row][end - prompt]);
            start = end;
        }

        return 1;
    }

    static SequenceChunk Chunk(int slot, int start, int[] tokens) => new() { Slot = slot, Start = start, Tokens = tokens, LogitRows = 1 };
}
