using System.Diagnostics;
using System.Globalization;

namespace IgptCluster.CommandLine;

/// <summary>One line of progress, written over on a terminal; elsewhere a line at every tenth. Any thread.</summary>
/// <param name="what">What is done: "Reading images".</param>
/// <param name="total">How many there are.</param>
/// <param name="before">How many were done before: they do not count for the speed.</param>
public sealed class ProgressLine(string what, long total, long before = 0) : IDisposable
{
    const string ClearRest = "\u001b[K";
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    readonly Lock _lock = new();
    readonly Stopwatch _watch = Stopwatch.StartNew();
    readonly bool _isTerminal = !Console.IsOutputRedirected;
    TimeSpan? _shownAt;
    long _shownTenth;
    bool _isOpen;

    /// <summary>Shows how many are done.</summary>
    /// <param name="done">How many.</param>
    /// <param name="more">Further words, as the loss.</param>
    public void Show(long done, string more = "")
    {
        lock (_lock)
        {
            bool isLast = done >= total;
            long tenth = total == 0 ? 10 : 10 * done / total;
            TimeSpan now = _watch.Elapsed;
            if (_isTerminal ? !isLast && now - _shownAt < Interval : tenth == _shownTenth)
                return;
            (_shownAt, _shownTenth) = (now, tenth);
            TimeSpan left = done == before ? TimeSpan.Zero : now * ((double)(total - done) / (done - before));
            string line = string.Create(
                CultureInfo.InvariantCulture,
                $"{what}: {done:N0} of {total:N0}{more}, {(done - before) / Math.Max(1e-3, now.TotalSeconds):N1}/s{(isLast ? "" : $", {Duration(left)} left")}");
            Console.Write(_isTerminal ? $"\r{Fitting(line)}{ClearRest}" : $"{line}\n");
            _isOpen = _isTerminal;
        }
    }

    /// <summary>Says something that stays, on a line of its own.</summary>
    /// <param name="text">The line.</param>
    public void Note(string text)
    {
        lock (_lock)
        {
            Console.WriteLine(_isOpen ? $"\r{text}{ClearRest}" : text);
            _isOpen = false;
        }
    }

    /// <summary>Ends the line.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (_isOpen)
                Console.WriteLine();
            _isOpen = false;
        }
    }

    /// <summary>A duration as people say it: 2 h 05 min, 3 min 20 s, 12 s.</summary>
    /// <param name="time">The duration.</param>
    public static string Duration(TimeSpan time) =>
        time.TotalHours >= 1 ? $"{(int)time.TotalHours} h {time.Minutes:00} min"
        : time.TotalMinutes >= 1 ? $"{time.Minutes} min {time.Seconds:00} s"
        : $"{time.TotalSeconds:0} s";

    // A line that wraps cannot be written over: the cursor goes back to the beginning of its last row alone. A terminal that tells no width has 0.
    static string Fitting(string line) => Console.WindowWidth is > 1 and int width && line.Length >= width ? line[..(width - 1)] : line;
}
