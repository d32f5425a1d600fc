using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Scheduling;

namespace IgptCluster.Engine.Admission;

/// <summary>What other threads ask of the engine's thread, done between two steps.</summary>
abstract record EngineCommand
{
    /// <summary>Begin a sequence that was admitted.</summary>
    internal sealed record Submit(Sequence Sequence) : EngineCommand;

    /// <summary>End a sequence.</summary>
    internal sealed record Abort(SequenceId Id) : EngineCommand;

    /// <summary>End all generations, so that they can go on elsewhere.</summary>
    internal sealed record Evict : EngineCommand;

    /// <summary>Nothing but to look whether the engine is drained.</summary>
    internal sealed record Wake : EngineCommand;
}
