using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>One silo for the tests that do not harm it: the bundled models and a golden one.</summary>
public sealed class SharedSilo : IAsyncLifetime
{
    internal const string Generator = "tiny-random";
    internal const string Golden = "golden";

    internal ServerProcess Server { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        string bundled = Path.Combine(GoldenSet.RepositoryRoot(), "assets", "models");
        Server = await ServerProcess.StartSiloAsync(
            "--model", Path.Combine(bundled, Generator),
            "--model", Path.Combine(bundled, "tiny-random-classifier"),
            "--model", $"{Golden}={GoldenSet.PathOf("models", "classifier-65")}",
            "--slots", "40");
    }

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
