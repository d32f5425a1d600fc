using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests.Fakes;

internal sealed class FakeModels(FakeCluster cluster) : Models.ModelsBase
{
    /// <summary>What clears a terminal, names its window and begins a line of its own.</summary>
    internal const string Hostile = "a\u001b]0;pwned\u0007\u001b[2J\nigpt: fake line";

    public override Task<Model> Get(GetModelRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Model
    {
        Name = request.Model,
        Config = "{\n}\n",
        Card = "a\u001b[2J\ncard",
        Heads = { new Head { Name = "probe", Labels = { Hostile } } },
    });

    public override Task<ListModelsResponse> List(ListModelsRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new ListModelsResponse
    {
        Models = { new Model { Name = Hostile } },
        Failures = { new LoadFailure { Model = Hostile, Source = Hostile, Message = Hostile } },
    });

    public override Task<Model> Load(LoadModelRequest request, ServerCallContext context) =>
        cluster.AnswerAsync(request, context, new Model { Name = request.Model, Replicas = { new Replica { State = "loading" } } });

    public override Task<Model> Scale(ScaleModelRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Model { Name = request.Model });

    public override Task<Empty> Unload(UnloadModelRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Empty());

    public override Task<Empty> DeleteHead(DeleteHeadRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Empty());
}
