namespace IgptCluster.Engine.Runner;

/// <summary>
/// Runs planned steps of one model on one device. The runner never decides policy: it computes exactly what the plan names.
/// Created, called and disposed on one thread, the engine's.
/// </summary>
public interface IModelRunner : IDisposable
{
    /// <summary>The loaded model's sizes.</summary>
    ModelShape Shape { get; }

    /// <summary>Number of KV slots; a slot holds one sequence of up to <see cref="ModelShape.PositionCount"/> tokens.</summary>
    int SlotCount { get; }

    /// <summary>
    /// Copies the planned prefixes between slots, then feeds each planned chunk, writing its keys and values into its slot.
    /// </summary>
    /// <param name="plan">What to compute. Read during the call only.</param>
    /// <returns>One output per planned chunk, in the plan's order. Its memory is valid until the next call.</returns>
    /// <exception cref="Exception">A device fault: nothing of the step can be trusted and the runner must not be used again.</exception>
    IReadOnlyList<ChunkOutput> Execute(StepPlan plan);
}
