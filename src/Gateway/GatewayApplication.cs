using IgptCluster.Grains;
using IgptCluster.Grains.Placement;
using IgptCluster.Hosting;
using IgptCluster.Hosting.Settings;

namespace IgptCluster.Gateway;

/// <summary>A gateway of its own put together: a silo without devices.</summary>
internal static class GatewayApplication
{
    /// <summary>Serves until the process is told to stop.</summary>
    /// <param name="given">Settings of the command line; they win over files and environment.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">A setting is unknown or breaks its rule.</exception>
    /// <exception cref="InvalidOperationException">The store is not there.</exception>
    internal static async Task<int> RunAsync(Dictionary<string, string?> given, CancellationToken cancellationToken)
    {
        WebApplicationBuilder builder = ServerBuilder.Create(given);
        NodeSettings settings = builder.ReadSettings(out GatewayOptions limits);
        PortCheck.Require(settings.Cluster, settings.Listen);
        string? membership = settings.Store.Membership();
        if (membership is not null)
        {
            await StoreExtensions.RequireAsync(membership);
        }

        string id = settings.Cluster.ClusterId;
        await using EmbeddedStore? embedded = membership is null && settings.Store.EmbeddedFolder(id) is { } folder
            ? await EmbeddedStore.StartAsync(folder, isOwner: settings.Cluster.PrimaryPort is null, settings.Store, builder.Configuration)
            : null;
        string? address = membership ?? embedded?.Address;
        builder.UseOrleans(silo => silo.UseIgptClustering(settings.Cluster, membership).UseIgptStore(id, address).AddIgptGrains(new SiloAdvertisement(settings.Cluster.SiloName(), [], [])));
        builder.AddIgptGateway(settings.Listen, limits);
        await using WebApplication app = builder.Build();
        app.MapIgptGateway();
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, embedded?.Interrupted ?? default);
        await app.StartAsync(interrupted.Token);
        await app.WaitForShutdownAsync(cancellationToken);
        return 0;
    }
}
