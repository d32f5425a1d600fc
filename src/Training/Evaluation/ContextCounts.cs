using IgptCluster.Training.Data;

namespace IgptCluster.Training.Evaluation;

/// <summary>How often each colour followed each context. Not changed after it is made.</summary>
internal sealed class ContextCounts
{
    readonly Dictionary<long, int> _pairs = []; // context · colours + colour
    readonly Dictionary<long, (int Total, int Different)> _contexts = [];
    readonly int _colours;

    /// <summary>Counts.</summary>
    /// <param name="data">The images.</param>
    /// <param name="colours">Number of colours; also the neighbour that border pixels lack.</param>
    /// <param name="context">The context of left and upper neighbour.</param>
    internal ContextCounts(TokenDataset data, int colours, Func<int, int, long> context)
    {
        _colours = colours;
        for (int image = 0; image < data.Count; image++)
        {
            ReadOnlySpan<ushort> tokens = data[image];
            for (int i = 0; i < tokens.Length; i++)
            {
                long key = context(Left(tokens, i, data.Width, colours), Upper(tokens, i, data.Width, colours));
                long pair = (key * colours) + tokens[i];
                int before = _pairs.GetValueOrDefault(pair);
                _pairs[pair] = before + 1;
                (int total, int different) = _contexts.GetValueOrDefault(key);
                _contexts[key] = (total + 1, different + (before == 0 ? 1 : 0));
            }
        }
    }

    /// <summary>Probability of a colour, leaning on what less context says.</summary>
    /// <param name="context">The context.</param>
    /// <param name="colour">The colour.</param>
    /// <param name="otherwise">Its probability with less context.</param>
    internal double Smooth(long context, int colour, double otherwise)
    {
        (int total, int different) = _contexts.GetValueOrDefault(context);
        return total == 0 ? otherwise : (_pairs.GetValueOrDefault((context * _colours) + colour) + (different * otherwise)) / (total + different);
    }

    /// <summary>The colour to the left; <paramref name="none"/> at the border.</summary>
    internal static int Left(ReadOnlySpan<ushort> tokens, int i, int width, int none) => i % width == 0 ? none : tokens[i - 1];

    /// <summary>The colour above; <paramref name="none"/> at the border.</summary>
    internal static int Upper(ReadOnlySpan<ushort> tokens, int i, int width, int none) => i < width ? none : tokens[i - width];
}
