using System.Diagnostics;
using System.Globalization;

namespace IgptCluster.Chaos.Nodes;

/// <summary>A folder with a small disk of its own, which can be filled: memory that is mounted there (tmpfs), which only root may do. Unmounted when disposed.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    const int Megabytes = 512;
    static readonly TimeSpan Lately = TimeSpan.FromSeconds(60);
    static readonly TimeSpan FillInterval = TimeSpan.FromMilliseconds(100);

    readonly string _folder;
    long _full;
    bool _isUnmounted;

    SmallDisk(string folder) => _folder = folder;

    /// <summary>Whether it was full within the last minute: who was refused then may be told so a little later.</summary>
    internal bool WasFullLately => Volatile.Read(ref _full) is > 0 and long at && Stopwatch.GetElapsedTime(at) < Lately;

    string Filler => Path.Combine(_folder, "filler");

    /// <summary>Mounts one on a folder.</summary>
    /// <param name="folder">The folder; made if it is missing.</param>
    /// <param name="why">Why it could not be done.</param>
    /// <returns>Null: it could not be done.</returns>
    internal static SmallDisk? TryMount(string folder, out string why)
    {
        Directory.CreateDirectory(folder);
        why = Run("mount", "-t", "tmpfs", "-o", string.Create(CultureInfo.InvariantCulture, $"size={Megabytes}m,mode=700"), "igpt-chaos", folder);
        return why.Length == 0 ? new SmallDisk(folder) : null;
    }

    /// <summary>Fills it and keeps it full, whatever is deleted meanwhile; then frees it.</summary>
    internal async Task FillAsync(TimeSpan time)
    {
        byte[] block = new byte[1 << 20];
        await using (var filler = new FileStream(Filler, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0))
        {
            for (long begin = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(begin) < time; await Task.Delay(FillInterval))
            {
                for (int size = block.Length; size >= 1024;)
                {
                    try
                    {
                        filler.Write(block.AsSpan(0, size));
                    }
                    catch (IOException)
                    {
                        size /= 4;
                    }
                }

                Volatile.Write(ref _full, Stopwatch.GetTimestamp());
            }
        }

        File.Delete(Filler);
    }

    public ValueTask DisposeAsync()
    {
        if (!_isUnmounted)
        {
            _isUnmounted = true;
            if (Run("umount", _folder) is { Length: > 0 } why)
            {
                Console.WriteLine($"{_folder} stays mounted: {why}");
            }
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>Runs a program.</summary>
    /// <returns>What it says if it fails; else nothing.</returns>
    static string Run(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            string said = process.StandardError.ReadToEnd().Trim();
            process.WaitForExit();
            return process.ExitCode == 0 ? "" : said.Length > 0 ? said : $"{program} ended with {process.ExitCode}";
        }
        catch (System.ComponentModel.Win32Exception failure)
        {
            return $"{program}: {failure.Message}";
        }
    }
}
