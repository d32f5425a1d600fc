namespace IgptCluster.Store;

/// <summary>A file that is written each second until it is removed.</summary>
internal sealed class Heartbeat : IAsyncDisposable
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    readonly string _file;
    readonly Timer _timer;

    /// <summary>Begins.</summary>
    /// <param name="file">The file.</param>
    internal Heartbeat(string file)
    {
        _file = file;
        _timer = new Timer(_ => Touch(), null, TimeSpan.Zero, Interval);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _timer.DisposeAsync();
        File.Delete(_file);
    }

    void Touch()
    {
        try
        {
            File.WriteAllText(_file, "");
        }
        catch (IOException)
        {
            // A full disk is told by what the store itself writes.
        }
    }
}
