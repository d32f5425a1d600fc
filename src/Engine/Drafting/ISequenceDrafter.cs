namespace IgptCluster.Engine.Drafting;

/// <summary>Guesses the tokens of one sequence. The engine's thread only.</summary>
public interface ISequenceDrafter
{
    /// <summary>How often lately a guess of the next token was, or would have been, right, 0 … 1.</summary>
    double Agreement { get; }

    /// <summary>Guesses a colour.</summary>
    /// <param name="raster">The colours before it in raster order, known or guessed.</param>
    int Guess(ReadOnlySpan<int> raster);

    /// <summary>Learns from colours that are certain now.</summary>
    /// <param name="raster">All known colours in raster order.</param>
    /// <param name="from">How many of them were known before.</param>
    void Learn(ReadOnlySpan<int> raster, int from);
}
