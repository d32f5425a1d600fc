using System.Runtime.InteropServices;

namespace IgptCluster.Model.Cpu;

/// <summary>The machine's processors: how many threads are worth having, and where they run.</summary>
internal static unsafe partial class Processors
{
    const string Folder = "/sys/devices/system/cpu";
    const string Siblings = "topology/thread_siblings_list";
    const int MaskWords = 128; // 8,192 processors

    /// <summary>
    /// Cores of the machine, at most as many as processors that this process may use: two threads of one core share what multiplies, and would only wait for
    /// each other.
    /// </summary>
    internal static int CoreCount { get; } = Math.Clamp(Cores(), 1, Environment.ProcessorCount);

    /// <summary>Processors that the calling thread may run on, in their order; none where the system does not tell.</summary>
    internal static int[] Allowed()
    {
        ulong[] mask = new ulong[MaskWords];
        fixed (ulong* words = mask)
        {
            if (!OperatingSystem.IsLinux() || GetAffinity(0, MaskWords * sizeof(ulong), words) < 0)
                return [];
        }

        return [.. Enumerable.Range(0, MaskWords * 64).Where(cpu => (mask[cpu / 64] >> (cpu % 64) & 1) != 0)];
    }

    /// <summary>One processor of each core among some: the first.</summary>
    internal static int[] OneOfEachCore(int[] processors) => [.. processors.DistinctBy(SiblingsOf)];

    /// <summary>Keeps the calling thread on some processors.</summary>
    /// <param name="processors">Which. None changes nothing.</param>
    internal static void Keep(ReadOnlySpan<int> processors)
    {
        if (processors.IsEmpty)
            return;
        ulong[] mask = new ulong[MaskWords];
        foreach (int cpu in processors)
            mask[cpu / 64] |= 1ul << (cpu % 64);
        fixed (ulong* words = mask)
            _ = SetAffinity(0, MaskWords * sizeof(ulong), words); // in vain where it is forbidden
    }

    static int Cores()
    {
        try
        {
            string[] siblings = [.. Directory.EnumerateDirectories(Folder, "cpu*").Select(cpu => Path.Combine(cpu, Siblings)).Where(File.Exists).Select(File.ReadAllText).Distinct()];
            return siblings.Length > 0 ? siblings.Length : Environment.ProcessorCount;
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            return Environment.ProcessorCount;
        }
    }

    static string SiblingsOf(int processor)
    {
        try
        {
            return File.ReadAllText(Path.Combine(Folder, $"cpu{processor}", Siblings));
        }
        catch (Exception hidden) when (hidden is IOException or UnauthorizedAccessException)
        {
            return $"{processor}";
        }
    }

    [LibraryImport("libc", EntryPoint = "sched_getaffinity")]
    private static partial int GetAffinity(int thread, nuint bytes, ulong* mask);

    [LibraryImport("libc", EntryPoint = "sched_setaffinity")]
    private static partial int SetAffinity(int thread, nuint bytes, ulong* mask);
}
