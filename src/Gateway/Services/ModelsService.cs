using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>The models the cluster serves.</summary>
internal sealed class ModelsService(ModelDirectory models) : Protocol.V1.Models.ModelsBase
{
    public override async Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context) =>
        new() { Models = { await Task.WhenAll(models.Names.Select(DescribeAsync)) } };

    public override async Task<Model> Get(GetModelRequest request, ServerCallContext context)
    {
        ServedModel model = await models.GetAsync(request.Model);
        return model.ToMessage(await models.ReplicasAsync(model.Description.Name));
    }

    async Task<Model> DescribeAsync(string name)
    {
        ReplicaStatus[] replicas = await models.ReplicasAsync(name);
        return replicas.Any(replica => replica.State == ReplicaState.Ready)
            ? (await models.GetAsync(name)).ToMessage(replicas)
            : new Model { Name = name, Replicas = { replicas.Select(replica => replica.ToMessage()) } };
    }
}
