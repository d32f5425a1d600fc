using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Silos;
using IgptCluster.Hosting;
using IgptCluster.Protocol.V1;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IgptCluster.Gateway.Services;

/// <summary>The cluster itself.</summary>
internal sealed class ClusterService(ClusterView cluster, ModelDirectory models, IGrainFactory grains, HealthCheckService health, SiloDrain drain, TimeProvider time) : Cluster.ClusterBase
{
    static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);
    static readonly TimeSpan DevicesTimeout = TimeSpan.FromSeconds(2);

    public override Task<ClusterDescription> Describe(DescribeClusterRequest request, ServerCallContext context) => DescribeAsync();

    public override async Task Watch(WatchClusterRequest request, IServerStreamWriter<ClusterDescription> responseStream, ServerCallContext context)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, drain.StreamsEnd);
        using var tick = new PeriodicTimer(WatchInterval, time);
        ClusterDescription? told = null;
        do
        {
            ClusterDescription now = await DescribeAsync();
            if (!now.Equals(told))
            {
                await responseStream.WriteAsync(told = now, ended.Token);
            }
        }
        while (await tick.WaitForNextTickAsync(ended.Token));
    }

    public override Task<Empty> Drain(DrainSiloRequest request, ServerCallContext context) => TellAsync(request.Silo, silo => silo.DrainAsync(request.Force), context.CancellationToken);

    public override Task<Empty> Undrain(UndrainSiloRequest request, ServerCallContext context) => TellAsync(request.Silo, silo => silo.UndrainAsync(), context.CancellationToken);

    async Task<Empty> TellAsync(string name, Func<ISiloGrain, Task> tell, CancellationToken cancellationToken)
    {
        KeyValuePair<SiloAddress, SiloAdvertisement>[] named = [.. cluster.Silos.Where(silo => silo.Value.Name == name)];
        Require.That(named.Length > 0, "silo", $"must be the name of a live silo: {Echo.List([.. cluster.Silos.Values.Select(silo => silo.Name)])}; given {Echo.Quoted(name)}");
        await Task.WhenAll(named.Select(silo => tell(grains.GetGrain<ISiloGrain>(silo.Key.ToParsableString())).WaitAsync(cancellationToken)));
        return new Empty();
    }

    async Task<ClusterDescription> DescribeAsync()
    {
        Task<HealthReport> store = health.CheckHealthAsync(check => check.Name == StoreExtensions.HealthCheck);
        IReadOnlyList<ReplicaStatus[]> replicas = await models.OfEachAsync(name => models.ReplicasAsync(name));
        Protocol.V1.Silo[] silos = await Task.WhenAll(cluster.Statuses.OrderBy(silo => silo.Key).Select(silo => DescribeAsync(silo.Key, silo.Value)));
        return new ClusterDescription
        {
            Version = Product.Version,
            Silos = { silos },
            Replicas = { replicas.SelectMany(replica => replica).Select(replica => replica.ToMessage()) },
            Store = Describe(await store),
        };
    }

    static Store Describe(HealthReport report) => report.Entries.Values.FirstOrDefault() switch
    {
        { Status: HealthStatus.Healthy } when report.Entries.Count > 0 => new Store { State = "ready" },
        { } broken when report.Entries.Count > 0 => new Store { State = "unavailable", Message = broken.Description ?? "" },
        _ => new Store { State = "none" },
    };

    async Task<Protocol.V1.Silo> DescribeAsync(SiloAddress address, SiloStatus status)
    {
        SiloAdvertisement told = cluster.Advertisement(address);
        return new Protocol.V1.Silo
        {
            Name = told.Name,
            Address = address.ToParsableString(),
            Status = status == SiloStatus.Active && cluster.IsDraining(address) ? "Draining" : status.ToString(),
            Devices = { (await DevicesAsync(address, status, told)).Select(device => device.ToMessage()) },
        };
    }

    /// <summary>A silo that does not answer is described by what it said when it joined.</summary>
    async Task<DeviceStatus[]> DevicesAsync(SiloAddress address, SiloStatus status, SiloAdvertisement told)
    {
        if (status == SiloStatus.Active && told.Devices.Count > 0)
        {
            try
            {
                return await grains.GetGrain<ISiloGrain>(address.ToParsableString()).DevicesAsync().WaitAsync(DevicesTimeout, time);
            }
            catch (Exception failure) when (failure is OrleansException or TimeoutException)
            {
                // It is leaving, dying, or of a version before this one.
            }
        }

        return [.. told.Devices.Select(device => new DeviceStatus { Name = device })];
    }
}
