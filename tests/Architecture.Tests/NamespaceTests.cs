using System.Text.RegularExpressions;

namespace IgptCluster.Architecture.Tests;

/// <summary>A type is found where its namespace says.</summary>
public sealed partial class NamespaceTests
{
    [Fact]
    public void Namespaces_OfAllSources_FollowTheirFolders()
    {
        string root = ProjectReferenceTests.FindRoot();
        string[] wrong =
        [
            .. new[] { "src", "perf", "tests" }
                .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*.cs", SearchOption.AllDirectories))
                .Select(path => (Path: Path.GetRelativePath(root, path), Declared: Declaration().Match(File.ReadAllText(path))))
                .Where(file => file.Declared.Success && file.Declared.Groups[1].Value != Expected(file.Path))
                .Select(file => $"{file.Path}: namespace {file.Declared.Groups[1].Value}, expected {Expected(file.Path)}"),
        ];
        Assert.Empty(wrong);
    }

    // tests/Shared is no project: its files are compiled into several.
    static string Expected(string path)
    {
        string[] folders = Path.GetDirectoryName(path)!.Split(Path.DirectorySeparatorChar);
        return string.Join('.', folders is ["tests", "Shared", ..] ? ["IgptCluster", .. folders.Select(folder => char.ToUpperInvariant(folder[0]) + folder[1..])] : ["IgptCluster", .. folders[1..]]);
    }

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
