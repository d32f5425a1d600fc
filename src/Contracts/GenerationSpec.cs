namespace IgptCluster.Contracts;

/// <summary>All that defines a generation: with the same spec on the same weights, the same tokens.</summary>
[GenerateSerializer, Immutable, Alias("igpt.generation-spec")]
public sealed record GenerationSpec
{
    /// <summary>Model name.</summary>
    [Id(0)]
    public required string Model { get; init; }

    /// <summary>The kept pixels' colour tokens in raster order; empty for an unconditional generation.</summary>
    [Id(1)]
    public required int[] Prompt { get; init; }

    /// <summary>Raster position at which generation stops: at most <see cref="Width"/> × <see cref="Height"/>.</summary>
    [Id(2)]
    public required int EndPosition { get; init; }

    /// <summary>Image width in pixels.</summary>
    [Id(3)]
    public required int Width { get; init; }

    /// <summary>Image height in pixels.</summary>
    [Id(4)]
    public required int Height { get; init; }

    /// <summary>How tokens are drawn.</summary>
    [Id(5)]
    public required SamplingSettings Sampling { get; init; }

    /// <summary>Which sample of its request this is, 0-based.</summary>
    [Id(6)]
    public int Sample { get; init; }

    /// <summary>Pixels with a given colour, each position once.</summary>
    [Id(7)]
    public ForcedToken[] Forced { get; init; } = [];

    /// <summary>Higher is served first; 0 is normal.</summary>
    [Id(8)]
    public int Priority { get; init; }

    /// <summary>How long the session outlives its viewers; zero: it ends with the last of them.</summary>
    [Id(9)]
    public TimeSpan TimeToLive { get; init; }

    /// <summary>Who asked for it: of equal priority, clients share a device evenly.</summary>
    [Id(10)]
    public string Client { get; init; } = "";

    /// <summary>How the generation ends once it has reached <see cref="EndPosition"/>.</summary>
    public SessionEnd EndReached => EndPosition == Width * Height ? SessionEnd.Completed : SessionEnd.Length;

    /// <summary>Checks from where the generation is to be read.</summary>
    /// <param name="fromPosition">Raster position of the first token wanted.</param>
    /// <exception cref="IgptException">InvalidArgument, of the field <c>from_position</c>.</exception>
    public void RequireReadableFrom(long fromPosition)
    {
        if (fromPosition < Prompt.Length || fromPosition > EndPosition)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"from_position: must lie between the prompt's end, {Prompt.Length}, and the generation's, {EndPosition}; given {fromPosition}")
            {
                Field = "from_position",
            };
        }
    }

    /// <summary>Whether another spec asks for the same, whoever asks.</summary>
    /// <param name="other">The other.</param>
    public bool IsSameAs(GenerationSpec other) =>
        (this with { Prompt = other.Prompt, Forced = other.Forced, Client = other.Client }) == other && Prompt.AsSpan().SequenceEqual(other.Prompt) && Forced.AsSpan().SequenceEqual(other.Forced);
}
