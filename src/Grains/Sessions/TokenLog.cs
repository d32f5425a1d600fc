namespace IgptCluster.Grains.Sessions;

/// <summary>The tokens a session has made, in raster order behind its prompt, and a signal for those who wait for more. One grain's turns only.</summary>
/// <param name="start">Raster position of the first token: the prompt's length.</param>
internal sealed class TokenLog(int start)
{
    readonly List<int> _tokens = [];
    TaskCompletionSource _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Raster position of the next token.</summary>
    public int End => start + _tokens.Count;

    /// <summary>A copy of all tokens.</summary>
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
        Signal();
    }

    /// <summary>The tokens from a position to the end; empty at or beyond it.</summary>
    /// <param name="position">Raster position of the first token wanted, not before the log's start.</param>
    public int[] From(int position) => position >= End ? [] : [.. _tokens[(position - start)..]];

    /// <summary>Wakes all who wait, for instance because the session ended.</summary>
    public void Signal()
    {
        TaskCompletionSource changed = _changed;
        _changed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        changed.SetResult();
    }

    /// <summary>Completes at the next <see cref="Append"/> or <see cref="Signal"/>.</summary>
    public Task Changed => _changed.Task;
}
