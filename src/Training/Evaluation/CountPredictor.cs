using IgptCluster.Training.Data;

namespace IgptCluster.Training.Evaluation;

/// <summary>
/// The best that counting can do: a pixel's colour given its left and upper neighbours, from counts of a training set, each context leaning on the
/// ones with less knowledge: (left, upper) on the mean of (left) and (upper), these on all colours, these on chance (Witten and Bell's smoothing: the
/// more different colours followed a context, the more it leans). A network must beat it clearly. Not changed after it is made.
/// </summary>
internal sealed class CountPredictor
{
    readonly int _colours;
    readonly ContextCounts _none;
    readonly ContextCounts _left;
    readonly ContextCounts _upper;
    readonly ContextCounts _both;

    /// <summary>Counts a data set.</summary>
    /// <param name="data">Training images.</param>
    /// <param name="colours">Number of colours.</param>
    internal CountPredictor(TokenDataset data, int colours)
    {
        _colours = colours;
        _none = new ContextCounts(data, colours, (_, _) => 0);
        _left = new ContextCounts(data, colours, (left, _) => left);
        _upper = new ContextCounts(data, colours, (_, upper) => upper);
        _both = new ContextCounts(data, colours, (left, upper) => ((long)left * (colours + 1)) + upper);
    }

    /// <summary>Mean loss by colour frequency alone, nats per token.</summary>
    internal double UnigramLoss(TokenDataset data) => Loss(data, (_, _, colour) => Unigram(colour));

    /// <summary>Mean loss given left and upper neighbours, nats per token.</summary>
    internal double NeighbourLoss(TokenDataset data) => Loss(data, Neighbours);

    double Unigram(int colour) => _none.Smooth(0, colour, 1.0 / _colours);

    double Neighbours(int left, int upper, int colour)
    {
        double base0 = Unigram(colour);
        double either = 0.5 * (_left.Smooth(left, colour, base0) + _upper.Smooth(upper, colour, base0));
        return _both.Smooth(((long)left * (_colours + 1)) + upper, colour, either);
    }

    double Loss(TokenDataset data, Func<int, int, int, double> probability)
    {
        double sum = 0;
        for (int image = 0; image < data.Count; image++)
        {
            ReadOnlySpan<ushort> tokens = data[image];
            for (int i = 0; i < tokens.Length; i++)
                sum -= Math.Log(probability(Left(tokens, i, data.Width), Upper(tokens, i, data.Width), tokens[i]));
        }

        return sum / ((double)data.Count * data.Length);

        int Left(ReadOnlySpan<ushort> tokens, int i, int width) => ContextCounts.Left(tokens, i, width, _colours);
        int Upper(ReadOnlySpan<ushort> tokens, int i, int width) => ContextCounts.Upper(tokens, i, width, _colours);
    }
}
