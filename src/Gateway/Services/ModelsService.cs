using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Placement;
using IgptCluster.Hosting;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>The models the cluster serves, how many replicas they have, and their classifier heads. Answers always tell of every head put so far.</summary>
internal sealed class ModelsService(ModelDirectory models, IGrainFactory grains, PlanWatch plan) : Protocol.V1.Models.ModelsBase
{
    const uint MostReplicas = 1000;

    public override async Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context) =>
        new()
        {
            Models = { await models.OfEachAsync(DescribeAsync) },
            Failures = { models.LoadFailures.OrderBy(failure => failure.Key, StringComparer.Ordinal).Select(failure => new Protocol.V1.LoadFailure { Model = failure.Key, Source = failure.Value.Source, Message = failure.Value.Message }) },
        };

    public override async Task<Model> Get(GetModelRequest request, ServerCallContext context)
    {
        ServedModel model = await models.GetAsync(request.Model, isFresh: true);
        return Told(model.ToMessage(await models.ReplicasAsync(model.Description.Name)));
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

    public override async Task<Model> Load(LoadModelRequest request, ServerCallContext context)
    {
        Require.That(ModelNameRule.IsKeptBy(request.Model), "model", $"must be {ModelNameRule.Words}; given {Echo.Quoted(request.Model)}");
        Require.That(Path.IsPathFullyQualified(request.Source), "source", $"must be a checkpoint folder's full path, as the silos see it; given {Echo.Quoted(request.Source)}");
        await grains.GetGrain<IModelGrain>(request.Model).LoadAsync(new ModelDeployment
        {
            Source = request.Source,
            Replicas = Replicas(request.Replicas),
            DType = TypeOf(request.Dtype, "dtype"),
            KvDType = TypeOf(request.KvDtype, "kv_dtype"),
            Version = request.Version,
        });
        return await DescribeNewAsync(request.Model);
    }

    public override async Task<Empty> Unload(UnloadModelRequest request, ServerCallContext context)
    {
        Require.That(request.Model.Length > 0, "model", "the name of the model to unload must be given; given none");
        await grains.GetGrain<IModelGrain>(request.Model).UnloadAsync();
        await plan.RefreshAsync();
        return new Empty();
    }

    public override async Task<Model> Scale(ScaleModelRequest request, ServerCallContext context)
    {
        Require.That(request.Model.Length > 0, "model", "the name of the model to scale must be given; given none");
        await grains.GetGrain<IModelGrain>(request.Model).ScaleAsync(Replicas(request.Replicas));
        return await DescribeNewAsync(request.Model);
    }

    static int Replicas(uint given)
    {
        Require.That(given <= MostReplicas, "replicas", $"must be 1 … {MostReplicas:N0}, or 0 for one per device; given {given}");
        return (int)given;
    }

    /// <summary>A data type by its full name; empty where none is given.</summary>
    static string TypeOf(string given, string field) => given.Length == 0 ? "" : DataTypeNames.Find(given, ReplicaOptions.Types)
        ?? throw Require.Invalid(field, $"must be {ChoiceOption.List(ReplicaOptions.Types)}, or be left out; given {Echo.Quoted(given)}");

    /// <summary>This gateway knows of what it changed itself, even where it was not told of it.</summary>
    async Task<Model> DescribeNewAsync(string name)
    {
        await plan.RefreshAsync();
        return await DescribeAsync(name);
    }

    IModelGrain ModelOf(ServedModel model) => grains.GetGrain<IModelGrain>(model.Description.Name);

    async Task<Model> DescribeAsync(string name)
    {
        ReplicaStatus[] replicas = await models.ReplicasAsync(name, isFresh: true);
        return Told(replicas.Any(replica => replica.State == ReplicaState.Ready)
            ? (await models.GetAsync(name)).ToMessage(replicas)
            : new Model { Name = name, Replicas = { replicas.Select(replica => replica.ToMessage()) } });
    }

    /// <summary>With what became of the latest attempt to load another version of it.</summary>
    Model Told(Model model)
    {
        model.Loading = models.IsLoading(model.Name);
        model.LoadFailure = models.LoadFailures.TryGetValue(model.Name, out Contracts.LoadFailure? failure) ? $"{failure.Source}: {failure.Message}" : "";
        return model;
    }
}
