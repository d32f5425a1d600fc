using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Generations;

/// <summary>Fields that several requests have in common: checked and read.</summary>
internal static class GenerationFields
{
    const int LongestOperationId = 128;

    /// <summary>The settings that are given; the others stay null.</summary>
    /// <param name="given">As sent; null = nothing is given.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static SamplingChange Sampling(SamplingParameters? given)
    {
        if (given is null)
        {
            return default;
        }

        Require.That(
            !given.HasTemperature || (double.IsFinite(given.Temperature) && given.Temperature >= 0),
            "sampling.temperature",
            $"must be finite and at least 0 (0 = greedy); given {given.Temperature}");
        Require.That(!given.HasTopP || given.TopP is > 0 and <= 1, "sampling.top_p", $"must be above 0 and at most 1 (1 = all); given {given.TopP}");
        return new SamplingChange(
            given.HasTemperature ? given.Temperature : null,
            given.HasTopK ? (int)Math.Min(given.TopK, int.MaxValue) : null,
            given.HasTopP ? given.TopP : null,
            given.HasSeed ? given.Seed : null);
    }

    /// <summary>Forced pixels.</summary>
    /// <param name="given">As sent.</param>
    /// <param name="first">Raster position of the first pixel that may be forced.</param>
    /// <param name="pixels">Pixels of the image.</param>
    /// <param name="colours">Colours of the palette.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static Contracts.ForcedToken[] Forced(IReadOnlyList<Protocol.V1.ForcedToken> given, int first, int pixels, int colours)
    {
        var seen = new HashSet<uint>();
        for (int i = 0; i < given.Count; i++)
        {
            Protocol.V1.ForcedToken pixel = given[i];
            Require.That(
                pixel.Position >= first && pixel.Position < pixels,
                $"forced[{i}].position",
                $"must lie behind what is kept and inside the image, {first} … {pixels - 1}; given {pixel.Position}");
            Require.That(pixel.Token < colours, $"forced[{i}].token", $"must be a colour, 0 … {colours - 1}; given {pixel.Token}");
            Require.That(seen.Add(pixel.Position), $"forced[{i}].position", $"each position can be forced once; given {pixel.Position} again");
        }

        return [.. given.Select(pixel => new Contracts.ForcedToken((int)pixel.Position, (int)pixel.Token))];
    }

    /// <summary>The id of an operation; empty if none is given.</summary>
    /// <param name="given">As sent.</param>
    /// <param name="shortest">Fewest characters of one that is given.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static string Operation(string given, int shortest = 1)
    {
        Require.That(
            given.Length == 0 || (given.Length >= shortest && given.Length <= LongestOperationId),
            "operation_id",
            $"must be {shortest} … {LongestOperationId} characters, or be left out; given {given.Length}");
        return given;
    }
}
