namespace IgptCluster.Grains.Sessions.State;

/// <summary>The tokens a session has made, in raster order behind its prompt. They can be read once they are committed. One thread at a time.</summary>
/// <param name="start">Raster position of the first token: the prompt's length.</param>
internal sealed class TokenLog(int start)
{
    readonly List<int> _tokens = [];
    int _committed;

    /// <summary>Raster position of the next token.</summary>
    public int End => start + _tokens.Count;

    /// <summary>Raster position behind the last token that can be read.</summary>
    public int CommittedEnd => start + _committed;

    /// <summary>A copy of all tokens, those included that cannot be read yet.</summary>
    public int[] ToArray() => [.. _tokens];

    /// <summary>Appends tokens that must be the next ones.</summary>
    /// <param name="position">Raster position of the first.</param>
    /// <param name="tokens">The tokens.</param>
    /// <exception cref="InvalidOperationException">They would leave a gap or repeat one.</exception>
    public void Append(int position, ReadOnlySpan<int> tokens)
    {
        if (position != End)
        {
            throw new InvalidOperationException($"tokens at position {position} do not follow a log that ends at {End}");
        }

        _tokens.AddRange(tokens);
    }

    /// <summary>Drops all tokens from a position on.</summary>
    /// <param name="end">Raster position behind the last token kept.</param>
    public void Truncate(int end)
    {
        _tokens.RemoveRange(end - start, End - end);
        _committed = Math.Min(_committed, _tokens.Count);
    }

    /// <summary>Lets the tokens up to a position be read.</summary>
    /// <param name="end">Raster position behind the last of them.</param>
    public void Commit(int end) => _committed = end - start;

    /// <summary>The committed tokens from a position on; empty at or beyond their end.</summary>
    /// <param name="position">Raster position of the first token wanted, not before the log's start.</param>
    public int[] From(int position) => position >= CommittedEnd ? [] : [.. _tokens[(position - start).._committed]];
}
