using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using IgptCluster.Grains.Sessions;
using IgptCluster.Grains.Sessions.Storage;
using IgptCluster.Grains.Silos;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Orleans.Placement;
using Orleans.Runtime.MembershipService.SiloMetadata;

namespace IgptCluster.Grains;

/// <summary>Puts the cluster's grains and their placement into a silo.</summary>
public static class GrainsSiloBuilderExtensions
{
    /// <summary>Registers placement and advertises this silo. The same on every silo, gateways included: the caller's silo places.</summary>
    /// <param name="silo">The silo being built.</param>
    /// <param name="advertisement">What this silo serves; no devices for a gateway.</param>
    public static ISiloBuilder AddIgptGrains(this ISiloBuilder silo, SiloAdvertisement advertisement)
    {
        silo.UseSiloMetadata(advertisement.ToMetadata());
        silo.Services.AddSingleton<ClusterView>();
        silo.Services.AddSingleton<SessionCatalog>();
        silo.Services.AddSingleton<SiloDrain>();
        silo.Services.AddMetrics();
        silo.Services.AddSingleton<ReplicaMetrics>();
        silo.Services.AddSingleton<PlanWatch>();
        silo.Services.AddHostedService(services => services.GetRequiredService<PlanWatch>());
        silo.Services.AddHostedService<DrainAtStop>();
        silo.Services.AddPlacementFilter<DeviceSiloFilterStrategy, DeviceSiloFilter>(ServiceLifetime.Singleton);
        silo.AddPlacementDirector<LeastLoadedPlacement, LeastLoadedDirector>();
        silo.AddPlacementDirector<OwnSiloPlacement, OwnSiloDirector>();
        silo.Services.AddOptions<SessionOptions>().BindConfiguration("Igpt:Sessions").ValidateOnStart();
        silo.Services.AddSingleton<IValidateOptions<SessionOptions>, SessionOptionsValidator>();
        silo.Services.AddOptions<DrainOptions>().BindConfiguration("Igpt:Drain").ValidateOnStart();
        silo.Services.AddSingleton<IValidateOptions<DrainOptions>, DrainOptionsValidator>();
        silo.Services.AddOptions<HostOptions>().Configure<IOptions<DrainOptions>>((host, drain) => host.ShutdownTimeout = drain.Value.Budget);
        return silo;
    }
}
