using IgptCluster.Engine.Runner;

namespace IgptCluster.Model;

/// <summary>What a step plan must satisfy before the device sees it: an index out of range there is a fault, not an error.</summary>
static class StepPlanRules
{
    const int MostOnStack = 4096;

    public static void Check(StepPlan plan, ModelShape shape, int slotCount)
    {
        // By index: an enumerator would be allocated at every step.
        for (int index = 0; index < plan.Copies.Count; index++)
        {
            PrefixCopy copy = plan.Copies[index];
            RequireSlot(copy.SourceSlot, slotCount);
            RequireSlot(copy.TargetSlot, slotCount);
            Require(copy.Length >= 1 && copy.Length <= shape.PositionCount, "a prefix copy must have 1 to n_positions tokens", copy.Length);
        }

        Span<bool> seen = slotCount <= MostOnStack ? stackalloc bool[slotCount] : new bool[slotCount];
        for (int index = 0; index < plan.Chunks.Count; index++)
        {
            SequenceChunk chunk = plan.Chunks[index];
            RequireSlot(chunk.Slot, slotCount);
            Require(!seen[chunk.Slot], "a slot may occur in one chunk of a step only", chunk.Slot);
            seen[chunk.Slot] = true;
            Check(chunk, shape);
        }
    }

    static void Check(SequenceChunk chunk, ModelShape shape)
    {
        int length = chunk.Tokens.Length;
        Require(length >= 1, "a chunk must have at least one token", length);
        Require(chunk.Start >= 0, "a chunk's start must be at least 0", chunk.Start);
        Require(chunk.Start <= shape.PositionCount - length, "a chunk must end at the latest at n_positions", (long)chunk.Start + length, shape.PositionCount);
        RequireIds(chunk.Tokens.Span, shape.VocabularySize, "a token must be 0 to the vocabulary size − 1");
        Require(chunk.LogitRows >= 0 && chunk.LogitRows <= length, "logit rows must be 0 to the chunk's tokens", chunk.LogitRows, length);
        Require(chunk.LogitRows == 0 || shape.LogitCount > 0, "logits need a model with a language-model head; its logits", shape.LogitCount);
        if (!chunk.Targets.IsEmpty)
        {
            Require(chunk.Targets.Length == chunk.LogitRows, "targets must be as many as the chunk's logit rows", chunk.Targets.Length, chunk.LogitRows);
            RequireIds(chunk.Targets.Span, shape.LogitCount, "a target must be 0 to the number of logits − 1");
        }

        int previous = -1;
        foreach (int layer in chunk.PooledLayers)
        {
            Require(layer > previous && layer <= shape.LayerCount, "pooled layers must ascend within 0 to n_layer", layer, shape.LayerCount);
            previous = layer;
        }

        Require(
            chunk.PooledBefore.IsEmpty || chunk.PooledBefore.Length == chunk.PooledLayers.Count * shape.EmbeddingSize,
            "sums to add to must be as many as the pooled layers' numbers",
            chunk.PooledBefore.Length,
            (long)chunk.PooledLayers.Count * shape.EmbeddingSize);
    }

    static void RequireSlot(int slot, int slotCount) =>
        Require(slot >= 0 && slot < slotCount, "a slot must be 0 to the number of slots − 1", slot, slotCount - 1);

    static void RequireIds(ReadOnlySpan<int> ids, int count, string rule)
    {
        foreach (int id in ids)
        {
            Require(id >= 0 && id < count, rule, id, count - 1);
        }
    }

    // Takes the rule in pieces: a step of thousands of tokens must not build a message for each.
    static void Require(bool condition, string rule, long given, long? limit = null)
    {
        if (!condition)
            throw new ArgumentException($"In a step plan {rule}{(limit is null ? "" : $" = {limit}")}; given: {given}.");
    }
}
