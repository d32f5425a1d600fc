using System.Text.Json;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>One silo for the tests that do not harm it: the bundled models and a golden one.</summary>
public sealed class SharedSilo : IAsyncLifetime
{
    internal const string Generator = "tiny-random";
    internal const string Golden = "golden";

    /// <summary>The golden set's name of the model served as <see cref="Golden"/>: its first classifier that has cases.</summary>
    internal static string GoldenModel { get; } = Directory.EnumerateDirectories(GoldenSet.PathOf("cases")).Select(folder => Path.GetFileName(folder)!)
        .Order(StringComparer.Ordinal).First(IsClassifier);

    internal ServerProcess Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        string bundled = Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models");
        Server = await ServerProcess.StartSiloAsync(
            "--model", Path.Combine(bundled, Generator),
            "--model", Path.Combine(bundled, "tiny-random-classifier"),
            "--model", $"{Golden}={GoldenSet.PathOf("models", GoldenModel)}",
            "--slots", "40");
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();

    static bool IsClassifier(string model)
    {
        using JsonDocument config = GoldenSet.Json("models", model, "config.json");
        return config.RootElement.GetProperty("architectures")[0].GetString() == "ImageGPTForImageClassification";
    }
}
