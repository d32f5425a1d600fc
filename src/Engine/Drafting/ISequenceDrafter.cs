namespace IgptCluster.Engine.Drafting;

/// <summary>Guesses the tokens of one sequence. The engine's thread only.</summary>
public interface ISequenceDrafter
{
    /// <summary>Guesses a colour.</summary>
    /// <param name="raster">The colours before it in raster order, known or guessed.</param>
    /// <param name="confidence">How likely it is to be what will be drawn if those before it are right, 0 … 1, by what was learned of this sequence.</param>
    int Guess(ReadOnlySpan<int> raster, out double confidence);

    /// <summary>Learns from colours that are certain now.</summary>
    /// <param name="raster">All known colours in raster order.</param>
    /// <param name="from">How many of them were known before.</param>
    void Learn(ReadOnlySpan<int> raster, int from);
}
