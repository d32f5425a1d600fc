using System.Collections.Concurrent;
using System.Diagnostics;

namespace IgptCluster.Chaos;

/// <summary>What must not happen and did. Any thread.</summary>
internal sealed class Violations
{
    readonly ConcurrentQueue<string> _all = new();
    readonly long _start = Stopwatch.GetTimestamp();

    internal IReadOnlyCollection<string> All => _all;

    internal void Add(string what)
    {
        string line = $"{Stopwatch.GetElapsedTime(_start).TotalSeconds:0.0} s: {what}";
        _all.Enqueue(line);
        Console.WriteLine($"VIOLATION {line}");
    }
}
