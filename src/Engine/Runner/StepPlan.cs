namespace IgptCluster.Engine.Runner;

/// <summary>What one engine step computes: plain data, made by the <c>Scheduler</c>, read by the <see cref="IModelRunner"/> during the step only.</summary>
/// <param name="Copies">Prefix rows to copy between slots before anything is computed.</param>
/// <param name="Chunks">The tokens to feed, one chunk per scheduled sequence; no slot occurs twice.</param>
public sealed record StepPlan(IReadOnlyList<PrefixCopy> Copies, IReadOnlyList<SequenceChunk> Chunks)
{
    /// <summary>Tokens fed by this step, over all chunks.</summary>
    public int TokenCount
    {
        get
        {
            int count = 0;
            for (int index = 0; index < Chunks.Count; index++)
            {
                count += Chunks[index].Tokens.Length;
            }

            return count;
        }
    }
}
