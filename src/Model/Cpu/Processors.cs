namespace IgptCluster.Model;

/// <summary>How many threads are worth having.</summary>
internal static class Processors
{
    const string Folder = "/sys/devices/system/cpu";
    const string Siblings = "topology/thread_siblings_list";

    /// <summary>
    /// Cores of the machine, at most as many as processors that this process may use: two threads of one core share what multiplies, and would only wait for
    /// each other.
    /// </summary>
    internal static int CoreCount { get; } = Math.Clamp(Cores(), 1, Environment.ProcessorCount);

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
}
