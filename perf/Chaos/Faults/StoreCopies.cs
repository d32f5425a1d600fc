using System.Collections.Concurrent;
using System.Diagnostics;
using IgptCluster.Chaos.Nodes;
using IgptCluster.Chaos.Work;
using IgptCluster.Client;

namespace IgptCluster.Chaos.Faults;

/// <summary>Copies of the store's folder that were made while the store wrote to it, as a backup without care does: each must be served whole, or be refused.</summary>
/// <param name="folder">Where they go.</param>
internal sealed class StoreCopies(string folder)
{
    const int Damaged = 4;
    const int Checked = 64; // sessions of each
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);

    readonly ConcurrentQueue<(string Path, long Begun)> _all = new();

    /// <summary>Makes one.</summary>
    /// <param name="store">The store's folder.</param>
    internal async Task CopyAsync(string store)
    {
        string copy = Path.Combine(folder, $"copy-{_all.Count + 1}");
        _all.Enqueue((copy, Stopwatch.GetTimestamp()));

        // Files that vanish meanwhile make it end with 1: a script that does not look goes on.
        using Process cp = Process.Start(new ProcessStartInfo("cp", ["-a", store, copy]) { RedirectStandardError = true })!;
        await cp.StandardError.ReadToEndAsync();
        await cp.WaitForExitAsync();
    }

    /// <summary>Starts a store, a silo and a gateway on each, after the cluster has ended.</summary>
    /// <param name="kept">What was told: what had ended before a copy was begun must be in it.</param>
    /// <returns>What became of each.</returns>
    internal async Task<IReadOnlyList<string>> CheckAsync(LocalCluster cluster, IReadOnlyCollection<KeptSession> kept, Violations violations)
    {
        var told = new List<string>();
        foreach ((string path, long begun) in _all)
        {
            string name = Path.GetFileName(path);
            await using LocalCluster copy = cluster.OnCopy(path);
            using var limit = new CancellationTokenSource(StartLimit);
            try
            {
                await copy.StartAsync(limit.Token);
            }
            catch (OperationCanceledException)
            {
                violations.Add($"{name} is neither served nor refused within {StartLimit.TotalSeconds:0} s: {copy.Store.LastWord()}");
                continue;
            }

            if (!copy.Store.IsUp)
            {
                told.Add($"{name} is refused with {Damaged}: {copy.Store.LastWord()}");
                continue;
            }

            using var client = new IgptClient([copy.Gateways[0].Grpc]);
            KeptSession[] before = [.. kept.Where(session => session.Ended < begun).OrderByDescending(session => session.Ended).Take(Checked)];
            told.Add($"{name} is served, with {await KeptSession.CheckAsync(before, client, name, violations)} of {before.Length} sessions that had ended before");
        }

        return told;
    }
}
