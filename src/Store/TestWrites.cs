using System.Globalization;

namespace IgptCluster.Store;

/// <summary>
/// A write each second, numbered. One that fails ends the process, which starts anew: after an I/O error Garnet answers no write any more, room on the disk or not. The number of the
/// last one that was acknowledged lies beside the data: a start that finds a lower number in the data knows that acknowledged writes are missing.
/// </summary>
/// <param name="folder">The store's folder.</param>
internal sealed class TestWrites(StoreFolder folder)
{
    const string NumberKey = "igpt-store/test-write";
    const string NonceKey = "igpt-store/nonce"; // read by EmbeddedStore

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    long _number;

    /// <summary>Compares what is in the data with what was acknowledged, and writes once.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="DamagedStoreException">Acknowledged writes are missing.</exception>
    /// <exception cref="IOException">The store does not answer, or cannot write.</exception>
    internal async Task BeginAsync(CancellationToken cancellationToken)
    {
        using StoreConnection store = await StoreConnection.OpenAsync(folder, cancellationToken);
        _number = Number(await store.AskAsync(cancellationToken, "GET", NumberKey));
        long acknowledged = File.Exists(folder.Acknowledged) ? Number(await File.ReadAllTextAsync(folder.Acknowledged, cancellationToken)) : 0;
        if (_number < acknowledged)
        {
            throw new DamagedStoreException(
                $"the end of what was acknowledged is missing: the data ends at test write {_number} (one is made each second), and {acknowledged} was acknowledged; files of {folder.Data} were lost or are older");
        }

        await store.AskAsync(cancellationToken, "SET", NonceKey, folder.Nonce);
        await WriteAsync(store, cancellationToken);
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
            throw new IOException($"a test write was not answered within {Patience.TotalSeconds} s");
        }
    }

    async Task WriteAsync(StoreConnection store, CancellationToken cancellationToken)
    {
        string number = (_number + 1).ToString(CultureInfo.InvariantCulture);
        await store.AskAsync(cancellationToken, "SET", NumberKey, number);
        _number++;
        StoreFolder.Replace(folder.Acknowledged, number);
    }

    static long Number(string? text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
}
