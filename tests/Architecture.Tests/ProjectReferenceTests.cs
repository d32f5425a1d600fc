using System.Text.Json;
using System.Xml.Linq;

namespace IgptCluster.Architecture.Tests;

/// <summary>Who may know whom, read from each project's resolved (transitive) references.</summary>
public sealed class ProjectReferenceTests
{
    static readonly string Root = FindRoot();
    static readonly string[] Projects = [.. Directory.EnumerateDirectories(Path.Combine(Root, "src")).Select(folder => Path.GetFileName(folder)!)];

    public static TheoryData<string, string[]> Forbidden => new()
    {
        { "Gateway", ["TorchSharp", "libtorch", "Model", "Silo", "Training", "Microsoft.Garnet", "Store"] },

        // The store's many dependencies stay with it, and it outlives a silo that crashes.
        { "Silo", ["Microsoft.Garnet", "Store"] },
        { "Store", ["TorchSharp", "libtorch", "Microsoft.Orleans", "Grpc", "Silo"] },

        // At the bottom: whoever opens what a user named takes it along.
        { "Files", [.. Projects.Except(["Files"]), "TorchSharp", "libtorch", "Microsoft.Orleans", "Microsoft.AspNetCore", "Google.Protobuf"] },

        // Anyone's program may hold it: of ours it knows the protocol alone.
        { "Client", [.. Projects.Except(["Client", "Protocol"]), "TorchSharp", "libtorch", "Microsoft.Orleans", "Microsoft.AspNetCore", "SkiaSharp"] },

        // Imaging is known on purpose: docs/architecture.md says why.
        { "Cli", ["TorchSharp", "libtorch", "Microsoft.Orleans", "Model", "Grains", "Silo"] },
        { "Contracts", ["TorchSharp", "libtorch", "Google.Protobuf", "Grpc", "Protocol", "Engine", "Silo"] },
        { "Grains", ["TorchSharp", "libtorch", "Model", "Grpc", "Google.Protobuf", "Silo"] },
        { "Engine", ["TorchSharp", "libtorch", "Microsoft.Orleans", "Grpc", "Google.Protobuf", "Model", "Contracts", "Silo"] },
        { "Imaging", ["TorchSharp", "libtorch", "Microsoft.Orleans", "Grpc", "Google.Protobuf", "Engine", "Silo"] },

        // TorchSharp itself brings Google.Protobuf along; no message type of ours may come with it.
        { "Model", ["Microsoft.Orleans", "Grpc", "Protocol", "Microsoft.AspNetCore", "Contracts", "Imaging", "Silo"] },
        { "Protocol", ["TorchSharp", "libtorch", "Microsoft.Orleans", "Contracts", "Silo"] },
        { "Training", ["Microsoft.Orleans", "Grpc", "Protocol", "Silo"] },
        { "Hosting", ["TorchSharp", "libtorch", "Model", "Silo"] },
    };

    [Theory]
    [MemberData(nameof(Forbidden))]
    public void ResolvedReferences_OfProject_HoldNothingForbidden(string project, string[] forbidden)
    {
        string[] resolved = ResolvedLibraries(project);
        Assert.NotEmpty(resolved);
        string[] broken = Broken(resolved, forbidden);
        Assert.True(broken.Length == 0, $"src/{project} must not depend on: {string.Join(", ", broken)}");
    }

    /// <summary>The rules can bite: references that are there, direct and through others, are found by the names the rules use.</summary>
    [Theory]
    [InlineData("Silo", "Model", "IgptCluster.Model")]
    [InlineData("Silo", "Engine", "IgptCluster.Engine")]
    [InlineData("Gateway", "Contracts", "IgptCluster.Contracts")]
    [InlineData("Gateway", "Microsoft.Orleans", "Microsoft.Orleans.Core")]
    [InlineData("Model", "TorchSharp", "TorchSharp")]
    [InlineData("Cli", "Client", "IgptCluster.Client")]
    [InlineData("Client", "Protocol", "IgptCluster.Protocol")]
    public void ResolvedReferences_KnownReference_IsFoundByItsRule(string project, string rule, string library) =>
        Assert.Contains(library, Broken(ResolvedLibraries(project), [rule]));

    /// <summary>A project that a rule names is looked for by its assembly, and an assembly that is named otherwise would never be found.</summary>
    [Fact]
    public void Assemblies_OfProjects_AreNamedAsTheRulesLookForThem()
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            string project = Path.GetFileNameWithoutExtension(file);
            string? given = XDocument.Load(file).Descendants("AssemblyName").SingleOrDefault()?.Value;
            Assert.Equal(given ?? $"IgptCluster.{project}", Assembly(project));
        }
    }

    [Fact]
    public void Libraries_OutsideLibtorchRunners_CopyNoNatives()
    {
        foreach (string project in new[] { "Model", "Gateway", "Cli", "Client" })
        {
            Assert.DoesNotContain(ResolvedLibraries(project), name => name.StartsWith("libtorch", StringComparison.OrdinalIgnoreCase));
        }
    }

    [Fact]
    public void Solution_HoldsEveryProject()
    {
        string solution = File.ReadAllText(Path.Combine(Root, "IgptCluster.sln"));
        foreach (string folder in new[] { "src", "tests", "perf" })
        {
            foreach (string project in Directory.EnumerateFiles(Path.Combine(Root, folder), "*.csproj", SearchOption.AllDirectories))
            {
                Assert.Contains(Path.GetFileName(project), solution, StringComparison.Ordinal);
            }
        }
    }

    static string[] Broken(string[] resolved, string[] forbidden) =>
        [.. resolved.Where(name => forbidden.Any(rule => Projects.Contains(rule) ? name.Equals(Assembly(rule), StringComparison.OrdinalIgnoreCase) : IsOrExtends(name, rule)))];

    /// <summary>What restore calls a project of src: its assembly.</summary>
    internal static string Assembly(string project) => project switch
    {
        "Cli" => "igpt",
        "Store" => "igpt-store",
        "Training" => "igpt-train",
        _ => $"IgptCluster.{project}",
    };

    static bool IsOrExtends(string name, string prefix) =>
        name.Equals(prefix, StringComparison.OrdinalIgnoreCase)
        || name.StartsWith(prefix + ".", StringComparison.OrdinalIgnoreCase)
        || name.StartsWith(prefix + "-", StringComparison.OrdinalIgnoreCase);

    /// <summary>Names of all packages and projects that restore resolved for a project, its own transitive ones included; the project itself if it has none.</summary>
    static string[] ResolvedLibraries(string project)
    {
        string assets = Path.Combine(Root, "artifacts", "obj", project, "project.assets.json");
        Assert.True(File.Exists(assets), $"{assets} is missing: build the solution first");
        using JsonDocument document = JsonDocument.Parse(File.ReadAllText(assets));
        return
        [
            .. document.RootElement.GetProperty("libraries").EnumerateObject().Select(library => library.Name.Split('/')[0]),
            .. document.RootElement.GetProperty("project").GetProperty("frameworks").EnumerateObject()
                .Where(framework => framework.Value.TryGetProperty("frameworkReferences", out _))
                .SelectMany(framework => framework.Value.GetProperty("frameworkReferences").EnumerateObject().Select(reference => reference.Name)),
        ];
    }

    internal static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "IgptCluster.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"no IgptCluster.sln above {AppContext.BaseDirectory}");
    }
}
