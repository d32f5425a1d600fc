using System.Reflection;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Placement;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>The cluster itself.</summary>
internal sealed class ClusterService(ClusterView cluster, ModelDirectory models) : Cluster.ClusterBase
{
    static readonly string Version = typeof(ClusterService).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";

    public override async Task<ClusterDescription> Describe(DescribeClusterRequest request, ServerCallContext context)
    {
        ReplicaStatus[][] replicas = await Task.WhenAll(models.Names.Select(name => models.ReplicasAsync(name)));
        return new ClusterDescription
        {
            Version = Version,
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
            Status = status.ToString(),
            Devices = { told.Devices.Select(device => new Device { Name = device }) },
        };
    }
}
