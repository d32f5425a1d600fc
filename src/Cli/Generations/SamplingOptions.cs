using System.CommandLine;
using System.Globalization;
using IgptCluster.CommandLine;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli.Generations;

/// <summary>Options that say how colours are drawn, and which are given.</summary>
internal sealed class SamplingOptions
{
    readonly Option<double?> _temperature = NumberOption.CreateOptional<double>("--temperature", "0 = always the most likely colour; default 1, or as it was.", 0, 1e6);
    readonly Option<uint> _topK = NumberOption.Create<uint>("--top-k", "Only the k most likely colours; 0 = all, or as it was.", 0, 0, int.MaxValue);
    readonly Option<double?> _topP = NumberOption.CreateOptional<double>("--top-p", "Only the most likely colours up to this mass; default 1, or as it was.", 1e-6, 1);
    readonly Option<ulong?> _seed = NumberOption.CreateOptional<ulong>("--seed", "The same seed gives the same image; default random, and told.", 0, ulong.MaxValue);
    readonly Option<string[]> _force = new("--force") { Description = "POSITION=TOKEN: a pixel with a given colour; can be given several times." };

    internal void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_temperature, _topK, _topP, _seed, _force])
        {
            command.Add(option);
        }
    }

    /// <summary>What was given; null for nothing.</summary>
    internal SamplingParameters? Read(ParseResult parsed)
    {
        var sampling = new SamplingParameters { TopK = parsed.GetValue(_topK) };
        if (parsed.GetValue(_temperature) is { } temperature)
        {
            sampling.Temperature = temperature;
        }

        if (parsed.GetValue(_topP) is { } topP)
        {
            sampling.TopP = topP;
        }

        if (parsed.GetValue(_seed) is { } seed)
        {
            sampling.Seed = seed;
        }

        return sampling.Equals(new SamplingParameters()) ? null : sampling;
    }

    /// <summary>The pixels that are given.</summary>
    /// <exception cref="CliException">One is malformed.</exception>
    internal IEnumerable<ForcedToken> ReadForced(ParseResult parsed) => (parsed.GetValue(_force) ?? []).Select(Forced);

    static ForcedToken Forced(string text)
    {
        string[] parts = text.Split('=');
        return parts.Length == 2
            && uint.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out uint position)
            && uint.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out uint token)
                ? new ForcedToken { Position = position, Token = token }
                : throw new CliException(ExitCode.BadInput, $"--force must be POSITION=TOKEN, two whole numbers; given '{text}'");
    }
}
