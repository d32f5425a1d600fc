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

namespace IgptCluster.Gateway.Services;

/// <summary>The cluster itself.</summary>
internal sealed class ClusterService(ClusterView cluster, ModelDirectory models, IGrainFactory grains, SiloDrain drain, TimeProvider time) : Cluster.ClusterBase
{
    static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

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
        Require.That(named.Length > 0, "silo", $"must be the name of a live silo: {string.Join(", ", cluster.Silos.Values.Select(silo => $"'{silo.Name}'"))}; given '{name}'");
        await Task.WhenAll(named.Select(silo => tell(grains.GetGrain<ISiloGrain>(silo.Key.ToParsableString())).WaitAsync(cancellationToken)));
        return new Empty();
    }

    async Task<ClusterDescription> DescribeAsync()
    {
        ReplicaStatus[][] replicas = await Task.WhenAll(models.Names.Select(name => models.ReplicasAsync(name)));
        return new ClusterDescription
        {
            Version = Product.Version,
            Silos = { cluster.Statuses.OrderBy(silo => silo.Key).Select(silo => Describe(silo.Key, silo.Value)) },
            Replicas = { replicas.SelectMany(replica => replica).Select(replica => replica.ToMessage()) },
        };
    }

    Protocol.V1.Silo Describe(SiloAddress address, SiloStatus status)
    {
        SiloAdvertisement told = cluster.Advertisement(address);
        return new Protocol.V1.Silo
        {
            Name = told.Name,
            Address = address.ToParsableString(),
            Status = status == SiloStatus.Active && cluster.IsDraining(address) ? "Draining" : status.ToString(),
            Devices = { told.Devices.Select(device => new Device { Name = device }) },
        };
    }
}
