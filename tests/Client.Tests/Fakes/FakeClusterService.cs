using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests.Fakes;

internal sealed class FakeClusterService(FakeCluster cluster) : Cluster.ClusterBase
{
    public override Task<ClusterDescription> Describe(DescribeClusterRequest request, ServerCallContext context) =>
        cluster.AnswerAsync(request, context, new ClusterDescription { Version = "1", Silos = { new Silo { Name = "gone", Status = "Dead" } } });

    public override Task<Empty> Drain(DrainSiloRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Empty());

    /// <summary>Two states, then the gateway stops.</summary>
    public override async Task Watch(WatchClusterRequest request, IServerStreamWriter<ClusterDescription> responseStream, ServerCallContext context)
    {
        cluster.Record(request, context);
        int first = cluster.Seen<WatchClusterRequest>().Count() * 2;
        await responseStream.WriteAsync(new ClusterDescription { Version = $"{first - 1}" });
        await responseStream.WriteAsync(new ClusterDescription { Version = $"{first}" });
    }
}
