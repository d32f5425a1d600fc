using System.Diagnostics;

namespace IgptCluster.Training.Commands;

/// <summary>One line of progress, written over on a terminal; elsewhere a line at every tenth. Any thread.</summary>
/// <param name="what">What is done: "Reading images".</param>
/// <param name="total">How many there are.</param>
/// <param name="before">How many were done before: they do not count for the speed.</param>
internal sealed class ProgressLine(string what, long total, long before = 0) : IDisposable
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    readonly Lock _lock = new();
    readonly Stopwatch _watch = Stopwatch.StartNew();
    TimeSpan _shownAt = TimeSpan.MinValue;
    long _shownTenth;
    bool _isOpen;

    /// <summary>Shows how many are done.</summary>
    /// <param name="done">How many.</param>
    /// <param name="more">Further words, as the loss.</param>
    internal void Show(long done, string more = "")
    {
        lock (_lock)
        {
            bool isLast = done >= total;
            long tenth = total == 0 ? 10 : 10 * done / total;
            if (Console.IsOutputRedirected ? tenth == _shownTenth : !isLast && _watch.Elapsed - _shownAt < Interval)
                return;
            (_shownAt, _shownTenth) = (_watch.Elapsed, tenth);
            TimeSpan left = done == before ? TimeSpan.Zero : _watch.Elapsed * ((double)(total - done) / (done - before));
            string line = $"{what}: {done:N0} of {total:N0}{more}, {(done - before) / Math.Max(1e-3, _watch.Elapsed.TotalSeconds):N1}/s{(isLast ? "" : $", {Duration(left)} left")}";
            Console.Write(Console.IsOutputRedirected ? $"{line}\n" : $"\r{line}\u001b[K");
            _isOpen = !Console.IsOutputRedirected;
        }
    }

    /// <summary>Says something that stays, on a line of its own.</summary>
    internal void Note(string text)
    {
        lock (_lock)
        {
            Console.WriteLine(_isOpen ? $"\r{text}\u001b[K" : text);
            _isOpen = false;
        }
    }

    /// <summary>Ends the line.</summary>
    public void Dispose()
    {
        if (_isOpen)
            Console.WriteLine();
    }

    /// <summary>A duration as people say it: 2 h 05 min, 3 min 20 s, 12 s.</summary>
    internal static string Duration(TimeSpan time) =>
        time.TotalHours >= 1 ? $"{(int)time.TotalHours} h {time.Minutes:00} min"
        : time.TotalMinutes >= 1 ? $"{time.Minutes} min {time.Seconds:00} s"
        : $"{time.TotalSeconds:0} s";
}
