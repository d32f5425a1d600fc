namespace IgptCluster.EndToEnd.Tests;

/// <summary>A folder for one test, deleted with all it holds when disposed.</summary>
/// <param name="prefix">What its name begins with.</param>
internal sealed class TempFolder(string prefix = "igpt-test-") : IDisposable
{
    /// <summary>Its full path.</summary>
    public string Path { get; } = Directory.CreateTempSubdirectory(prefix).FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
