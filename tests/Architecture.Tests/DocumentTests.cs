using System.Text.RegularExpressions;

namespace IgptCluster.Architecture.Tests;

/// <summary>What docs/architecture.md says about files.</summary>
public sealed partial class DocumentTests
{
    static readonly string Root = ProjectReferenceTests.FindRoot();

    [Fact]
    public void ArchitecturePage_WayOfAToken_NamesFiveFilesThatLeadOnToTheNext()
    {
        string page = File.ReadAllText(Path.Combine(Root, "docs", "architecture.md"));
        string[] way = [.. Step().Matches(page[page.IndexOf("From `Generate` to a token stored", StringComparison.Ordinal)..]).Select(step => step.Groups["file"].Value)];
        Assert.Equal(5, way.Length);
        string[] texts = [.. way.Select(file => File.ReadAllText(Path.Combine(Root, file)))];

        // What a reader looks for in one file to go on with the next.
        (string Word, int In, int And)[] links = [("Carry(", 1, 2), ("SessionEvent.Made", 2, 3), ("CommitNow", 1, 4), ("SessionEvent.Stored", 4, 3)];
        Assert.All(links, link => Assert.True(texts[link.In].Contains(link.Word, StringComparison.Ordinal) && texts[link.And].Contains(link.Word, StringComparison.Ordinal), $"'{link.Word}' does not lead from {way[link.In]} to {way[link.And]}"));
    }

    [Fact]
    public void ArchitecturePage_FilesNamed_Exist()
    {
        string page = File.ReadAllText(Path.Combine(Root, "docs", "architecture.md"));
        string[] named = [.. NamedPath().Matches(page).Select(match => match.Groups["path"].Value).Distinct()];
        Assert.NotEmpty(named);
        string[] missing = [.. named.Where(path => !Path.Exists(Path.Combine(Root, path)))];
        Assert.True(missing.Length == 0, $"docs/architecture.md names what is not there: {string.Join(", ", missing)}");
    }

    [GeneratedRegex(@"^\d\. `(?<file>src/[\w./]+\.cs)`: ", RegexOptions.Multiline)]
    private static partial Regex Step();

    [GeneratedRegex(@"`(?<path>(src|tests|perf|deploy|eng)/[\w./-]+)`")]
    private static partial Regex NamedPath();
}
