namespace IgptCluster.EndToEnd.Tests.Studio;

/// <summary>A node with the bundled models.</summary>
public sealed class StudioNode : IAsyncLifetime
{
    internal ServerProcess Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await ServerProcess.StartSiloAsync("--threads", "1");

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
