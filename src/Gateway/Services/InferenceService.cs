using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Inference;
using IgptCluster.Gateway.Models;
using IgptCluster.Hosting;
using IgptCluster.Protocol.Inference;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace IgptCluster.Gateway.Services;

/// <summary>The Open Inference Protocol, version 2.</summary>
internal sealed class InferenceService(ModelDirectory models, InferenceTasks tasks, HealthCheckService health) : GRPCInferenceService.GRPCInferenceServiceBase
{
    const string Platform = "igpt_imagegpt";

    /// <summary>The extension by which tensors of HTTP's requests may be bytes behind the JSON.</summary>
    internal const string BinaryTensors = "binary_tensor_data";

    public override Task<ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) => Task.FromResult(new ServerLiveResponse { Live = true });

    public override async Task<ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        new() { Ready = (await health.CheckHealthAsync(check => check.Tags.Contains("ready"), context.CancellationToken)).Status == HealthStatus.Healthy };

    public override async Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context) =>
        new() { Ready = (await models.ReplicasAsync(request.Name)).Any(replica => replica.State == ReplicaState.Ready && (request.Version.Length == 0 || replica.ModelVersion == request.Version)) };

    public override Task<ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerMetadataResponse { Name = "igpt", Version = Product.Version, Extensions = { BinaryTensors } });

    public override async Task<ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context)
    {
        ServedModel model = await FindAsync(request.Name, request.Version);
        return new ModelMetadataResponse
        {
            Name = model.Description.Name,
            Versions = { model.Description.Version },
            Platform = Platform,
            Inputs = { InferenceTasks.Inputs(model).Select(Describe) },
            Outputs = { InferenceTasks.Outputs(model).Select(Describe) },
        };
    }

    public override async Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context)
    {
        ServedModel model = await FindAsync(request.ModelName, request.ModelVersion);
        Tensor[] outputs = await tasks.RunAsync(
            model, TensorMessages.Inputs(request), [.. request.Outputs.Select(output => output.Name)], new InferenceParameters(request.Parameters), context);
        var response = new ModelInferResponse { ModelName = model.Description.Name, ModelVersion = model.Description.Version, Id = request.Id };
        foreach (Tensor output in outputs)
        {
            response.Add(output, isRaw: request.RawInputContents.Count > 0);
        }

        return response;
    }

    async Task<ServedModel> FindAsync(string name, string version)
    {
        ServedModel model = await models.GetAsync(name);
        return version.Length == 0 || version == model.Description.Version ? model
            : throw new IgptException(IgptErrorCode.ModelNotFound, $"model '{model.Description.Name}' has version '{model.Description.Version}'; given {Echo.Quoted(version)}: leave the version out") { Field = "version" };
    }

    static ModelMetadataResponse.Types.TensorMetadata Describe((string Name, string Datatype, long[] Shape) tensor) => new() { Name = tensor.Name, Datatype = tensor.Datatype, Shape = { tensor.Shape } };
}
