using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>The models the cluster serves, and their classifier heads. Answers always tell of every head put so far.</summary>
internal sealed class ModelsService(ModelDirectory models, IGrainFactory grains) : Protocol.V1.Models.ModelsBase
{
    public override async Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context) =>
        new() { Models = { await Task.WhenAll(models.Names.Select(DescribeAsync)) } };

    public override async Task<Model> Get(GetModelRequest request, ServerCallContext context)
    {
        ServedModel model = await models.GetAsync(request.Model, isFresh: true);
        return model.ToMessage(await models.ReplicasAsync(model.Description.Name));
    }

    public override async Task<Head> PutHead(PutHeadRequest request, ServerCallContext context)
    {
        ServedModel model = await models.GetAsync(request.Model);
        HeadSpec head = request.ToSpec(model.Description);
        return (await ModelOf(model).PutHeadAsync(head)).ToMessage();
    }

    public override async Task<Empty> DeleteHead(DeleteHeadRequest request, ServerCallContext context)
    {
        Require.That(request.Head.Length > 0, "head", "the name of the head to delete must be given; given none");
        ServedModel model = await models.GetAsync(request.Model);
        await ModelOf(model).DeleteHeadAsync(request.Head);
        return new Empty();
    }

    IModelGrain ModelOf(ServedModel model) => grains.GetGrain<IModelGrain>(model.Description.Name);

    async Task<Model> DescribeAsync(string name)
    {
        ReplicaStatus[] replicas = await models.ReplicasAsync(name, isFresh: true);
        return replicas.Any(replica => replica.State == ReplicaState.Ready)
            ? (await models.GetAsync(name)).ToMessage(replicas)
            : new Model { Name = name, Replicas = { replicas.Select(replica => replica.ToMessage()) } };
    }
}
