namespace IgptCluster.Contracts;

/// <summary>How a session is to go on from a position it has reached: as itself after a rewind, or as another after a fork.</summary>
[GenerateSerializer, Immutable, Alias("igpt.session-branch")]
public sealed record SessionBranch
{
    /// <summary>Raster position of the first pixel made anew, between the prompt's end and what the session has made.</summary>
    [Id(0)]
    public required int Position { get; init; }

    /// <summary>How colours are drawn from there; what is null stays as it is.</summary>
    [Id(1)]
    public SamplingChange Sampling { get; init; }

    /// <summary>Pixels with a given colour from the position on, each once; of two colours for a position the later given holds.</summary>
    [Id(2)]
    public ForcedToken[] Forced { get; init; } = [];

    /// <summary>Makes retried calls one; empty: each call counts.</summary>
    [Id(3)]
    public string Operation { get; init; } = "";

    /// <summary>The spec from there on.</summary>
    /// <param name="spec">The session's.</param>
    public GenerationSpec Apply(GenerationSpec spec) => spec with
    {
        Sampling = Sampling.Apply(spec.Sampling),
        Forced = [.. spec.Forced.ExceptBy(Forced.Select(pixel => pixel.Position), pixel => pixel.Position), .. Forced],
    };
}
