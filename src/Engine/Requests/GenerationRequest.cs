using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Requests;

/// <summary>One sequence to continue. The engine puts the start-of-sequence token before it.</summary>
public sealed record GenerationRequest
{
    /// <summary>Names the sequence.</summary>
    public required SequenceId Id { get; init; }

    /// <summary>Colour tokens known so far, in raster order; may be empty.</summary>
    public required ReadOnlyMemory<int> Prompt { get; init; }

    /// <summary>Colour tokens to make, at least 1; prompt and new tokens together at most <see cref="ModelShape.PositionCount"/>.</summary>
    public required int MaxNewTokens { get; init; }

    /// <summary>How tokens are drawn.</summary>
    public SamplingParameters Sampling { get; init; } = new();

    /// <summary>Raster positions that take a given colour whatever the model says. Those inside the prompt or behind the end have no effect.</summary>
    public IReadOnlyDictionary<int, int> Forced { get; init; } = new Dictionary<int, int>();

    /// <summary>Higher is served first; of equal ones those of the client that has been served least, then in order of arrival. A waiting one takes the slot of a running one of lower priority, which waits again. Default 0.</summary>
    public int Priority { get; init; }

    /// <summary>Whose it is: of equal priority, clients share the device evenly. Default: nobody's in particular.</summary>
    public string Client { get; init; } = "";

    /// <summary>Whether it was accepted before, by an engine that was lost or is leaving: it is taken however long the queue is, and comes before what is new.</summary>
    public bool IsReadmission { get; init; }
}
