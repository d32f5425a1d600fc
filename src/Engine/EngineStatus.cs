namespace IgptCluster.Engine;

/// <summary>An engine's load after its latest step.</summary>
public sealed record EngineStatus
{
    /// <summary>KV slots in all; 0 before the engine has started.</summary>
    public int SlotsTotal { get; init; }

    /// <summary>KV slots in use.</summary>
    public int SlotsUsed { get; init; }

    /// <summary>Sequences that hold a slot.</summary>
    public int Running { get; init; }

    /// <summary>Sequences that wait for one, those just submitted included.</summary>
    public int Waiting { get; init; }

    /// <summary>Steps executed since the start.</summary>
    public long Steps { get; init; }

    /// <summary>Tokens computed since the start, prefilled and decoded, without guesses that were wrong; those copied from another slot do not count.</summary>
    public long ComputedTokens { get; init; }

    /// <summary>Tokens whose keys and values were copied from another slot instead.</summary>
    public long SharedTokens { get; init; }

    /// <summary>What guesses tokens, by its name; empty if nothing does.</summary>
    public string Drafter { get; init; } = "";

    /// <summary>Tokens that were guessed before they were drawn.</summary>
    public long DraftedTokens { get; init; }

    /// <summary>Of those, the ones that were right: each saved a step.</summary>
    public long AcceptedTokens { get; init; }

    /// <summary>Tokens computed per second over the latest second or so of work; 0 when idle.</summary>
    public double TokensPerSecond { get; init; }

    /// <summary>Tokens of all sequences in flight, computed and still to be computed.</summary>
    public long TokensInFlight { get; init; }

    /// <summary>True while the engine finishes what it has and takes no more.</summary>
    public bool Draining { get; init; }

    /// <summary>Why the engine failed; empty while it has not.</summary>
    public string Fault { get; init; } = "";
}
