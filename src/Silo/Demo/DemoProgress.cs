using System.Diagnostics;

namespace IgptCluster.Silo.Demo;

/// <summary>One line of progress that is written over on a terminal, and one line per quarter elsewhere. Any thread.</summary>
internal sealed class DemoProgress(int total)
{
    readonly Lock _lock = new();
    readonly Stopwatch _watch = Stopwatch.StartNew();
    int _done;
    int _shown = -1;

    internal void Add(int tokens)
    {
        lock (_lock)
        {
            _done += tokens;
            int percent = (int)(100L * _done / total);
            int step = Console.IsOutputRedirected ? 25 : 1;
            if (percent / step > _shown)
            {
                _shown = percent / step;
                string line = $"Completing lower halves: {percent,3} %, {_done:N0} of {total:N0} pixels, {_done / _watch.Elapsed.TotalSeconds:N0} per second";
                Console.Write(Console.IsOutputRedirected ? $"{line}\n" : $"\r{line}   ");
            }
        }
    }

    internal static void Finish()
    {
        if (!Console.IsOutputRedirected)
        {
            Console.WriteLine();
        }
    }
}
