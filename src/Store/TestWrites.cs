using System.Globalization;
using IgptCluster.Store.Integrity;

namespace IgptCluster.Store;

/// <summary>
/// A write each second, numbered. One that fails ends the process, which starts anew: after an I/O error Garnet answers no write any more, room on the disk or not. The number of the
/// last one that was acknowledged lies beside the data, with checksums of the append-only file up to it: a start that finds less knows that acknowledged writes are missing.
/// </summary>
/// <param name="folder">The store's folder.</param>
/// <param name="server">Its server.</param>
/// <param name="checkpoints">Its checkpoints.</param>
/// <param name="settings">How the folder is served.</param>
/// <param name="last">What was acknowledged before.</param>
internal sealed class TestWrites(StoreFolder folder, StoreServer server, Checkpoints checkpoints, StoreSettings settings, Acknowledged last)
{
    const string NumberKey = "igpt-store/test-write";
    const string NonceKey = "igpt-store/nonce"; // read by StoreProcess in Hosting
    const string RoomKey = "igpt-store/room"; // read by StoreRoom in Hosting

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    Acknowledged _last = last;
    string? _told;

    /// <summary>Compares what is in the data with what was acknowledged, and writes once.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="DamagedStoreException">Acknowledged writes are missing.</exception>
    /// <exception cref="IOException">The store does not answer, or cannot write.</exception>
    internal async Task BeginAsync(CancellationToken cancellationToken)
    {
        using StoreConnection store = await StoreConnection.OpenAsync(folder, cancellationToken);
        long number = Number(await store.AskAsync(cancellationToken, "GET", NumberKey));
        if (number < _last.Number || server.Committed < _last.Until)
        {
            throw new DamagedStoreException(
                $"the end of what was acknowledged is missing: the data ends at test write {number} (one is made each second), and {_last.Number} was acknowledged; files of {folder.Data} were lost or are older");
        }

        _last = _last with { Number = number };
        try
        {
            await store.AskAsync(cancellationToken, "SET", NonceKey, folder.Nonce).WaitAsync(Patience, cancellationToken);
            await WriteAsync(store, cancellationToken).WaitAsync(Patience, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw Unanswered();
        }
    }

    /// <summary>Writes until it is told to stop.</summary>
    /// <param name="cancellationToken">Stops.</param>
    /// <exception cref="IOException">A write failed, or took too long: the process must end.</exception>
    internal async Task RunAsync(CancellationToken cancellationToken)
    {
        try
        {
            using StoreConnection store = await StoreConnection.OpenAsync(folder, cancellationToken);
            using var tick = new PeriodicTimer(Interval);
            while (await tick.WaitForNextTickAsync(cancellationToken))
            {
                await WriteAsync(store, cancellationToken).WaitAsync(Patience, cancellationToken);
            }
        }
        catch (OperationCanceledException)
        {
            // It stops.
        }
        catch (TimeoutException)
        {
            throw Unanswered();
        }
    }

    static IOException Unanswered() => new($"a test write was not answered within {Patience.TotalSeconds} s");

    async Task WriteAsync(StoreConnection store, CancellationToken cancellationToken)
    {
        long number = _last.Number + 1;
        await store.AskAsync(cancellationToken, "SET", NumberKey, number.ToString(CultureInfo.InvariantCulture));
        string words = Room.Of(folder, settings.MaxDisk).Words;
        if (words != _told)
        {
            await store.AskAsync(cancellationToken, "SET", RoomKey, words);
            _told = words;
        }

        try
        {
            (long begin, long until) = (server.Begin, server.Committed);
            Extent[] log = [.. StoreFolder.AppendOnly.Measure(folder.Root, begin, until, _last.Log.ToDictionary(extent => extent.File))];
            var acknowledged = new Acknowledged(number, checkpoints.Manifest.Version, until, log);
            SealedFile.Write(folder.Acknowledged, acknowledged);
            _last = acknowledged;
        }
        catch (FileNotFoundException)
        {
            // A checkpoint has just made the file's beginning needless. The next write acknowledges both.
            _last = _last with { Number = number };
        }
    }

    static long Number(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
