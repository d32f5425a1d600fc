using IgptCluster.Gateway;
using IgptCluster.Grains;
using IgptCluster.Grains.Placement;
using IgptCluster.Hosting;

// A gateway of its own: a silo without devices.
WebApplicationBuilder builder = WebApplication.CreateBuilder(args);
builder.Logging.AddIgptLogging();
ClusterOptions cluster = builder.Configuration.Read<ClusterOptions>("Igpt:Cluster");
builder.UseOrleans(silo => silo.UseIgptClustering(cluster).AddIgptGrains(new SiloAdvertisement(cluster.SiloName(), [], [])));
builder.AddIgptGateway(builder.Configuration.Read<ListenOptions>("Igpt:Listen"));
WebApplication app = builder.Build();
app.MapIgptGateway();
await app.RunAsync();
