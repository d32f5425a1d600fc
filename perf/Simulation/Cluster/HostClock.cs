using System.Runtime.InteropServices;

namespace IgptCluster.Simulation.Cluster;

/// <summary>Processor time of the thread that asks: waits, and turns that other threads take, do not count.</summary>
internal static partial class HostClock
{
    const int ThreadClock = 3; // CLOCK_THREAD_CPUTIME_ID of Linux

    internal static TimeSpan ThreadTime => Read(ThreadClock, out Time time) == 0
        ? TimeSpan.FromSeconds(time.Seconds) + TimeSpan.FromTicks(time.Nanoseconds / TimeSpan.NanosecondsPerTick)
        : throw new PlatformNotSupportedException("the time of a thread is asked for as on Linux");

    [StructLayout(LayoutKind.Sequential)]
    struct Time
    {
        public nint Seconds;
        public nint Nanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int Read(int clock, out Time time);
}
