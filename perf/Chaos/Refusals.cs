using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Grpc.Core;

namespace IgptCluster.Chaos;

/// <summary>What was refused while the cluster was disturbed, and in which words. Any thread.</summary>
internal sealed partial class Refusals
{
    const string StoreFull = "the cluster's store is full";

    readonly ConcurrentDictionary<string, int> _all = new();

    /// <summary>How often each was told; numbers and names left out.</summary>
    internal IReadOnlyList<string> All => [.. _all.OrderByDescending(one => one.Value).Select(one => $"{one.Value} × {one.Key}")];

    /// <summary>Counts one.</summary>
    /// <param name="what">What was refused.</param>
    /// <param name="words">In which words.</param>
    internal void Add(string what, string words) => _all.AddOrUpdate($"{what}: {Number().Replace(words, "#")}", 1, (_, count) => count + 1);

    /// <summary>Counts a call's failure if it says that the store is full, by which rule, and what can be done.</summary>
    internal bool AddIfStoreFull(Exception failure)
    {
        bool isClear = failure is RpcException { StatusCode: StatusCode.ResourceExhausted } call
            && call.Status.Detail.Contains(StoreFull, StringComparison.Ordinal) && call.Status.Detail.Contains("delete sessions or heads", StringComparison.Ordinal);
        if (isClear)
        {
            Add("a call, RESOURCE_EXHAUSTED", ((RpcException)failure).Status.Detail);
        }

        return isClear;
    }

    // A path's or a process's too.
    [GeneratedRegex(@"[0-9a-f]{32}|\d+")]
    private static partial Regex Number();
}
