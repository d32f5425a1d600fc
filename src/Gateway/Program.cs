using System.ComponentModel.DataAnnotations;
using IgptCluster.Gateway;
using IgptCluster.Grains;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Silos;
using IgptCluster.Hosting;
using Microsoft.Extensions.Options;

// A gateway of its own: a silo without devices.
try
{
    WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
    builder.Logging.AddIgptLogging();
    ClusterOptions cluster = builder.Configuration.Read<ClusterOptions>("Igpt:Cluster");
    _ = builder.Configuration.Read<IgptCluster.Grains.Sessions.SessionOptions>("Igpt:Sessions");
    _ = builder.Configuration.Read<DrainOptions>("Igpt:Drain");
    StoreOptions store = builder.Configuration.Read<StoreOptions>("Igpt:Store");
    string? membership = store.Address.Length > 0 ? store.Address : null;
    if (membership is not null)
    {
        await StoreExtensions.RequireAsync(membership);
    }

    string? address = membership ?? (store.EmbeddedFolder(cluster.ClusterId) is { } folder ? (await EmbeddedStore.StartAsync(folder)).Address : null);
    builder.UseOrleans(silo => silo.UseIgptClustering(cluster, membership).UseIgptStore(cluster.ClusterId, address).AddIgptGrains(new SiloAdvertisement(cluster.SiloName(), [], [])));
    builder.AddIgptGateway(builder.Configuration.Read<ListenOptions>("Igpt:Listen"));
    WebApplication app = builder.Build();
    app.MapIgptGateway();
    await app.RunAsync();
    return 0;
}
catch (Exception failure) when (failure is ValidationException or OptionsValidationException or InvalidOperationException or IOException)
{
    await Console.Error.WriteLineAsync($"igpt gateway: {failure.Message}");
    return failure is ValidationException or OptionsValidationException ? 2 : 1;
}
