using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests.Fakes;

internal sealed class FakeModels(FakeCluster cluster) : Models.ModelsBase
{
    public override Task<Model> Get(GetModelRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Model { Name = "fake" });

    public override Task<Model> Load(LoadModelRequest request, ServerCallContext context) =>
        cluster.AnswerAsync(request, context, new Model { Name = request.Model, Replicas = { new Replica { State = "loading" } } });

    public override Task<Model> Scale(ScaleModelRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Model { Name = request.Model });

    public override Task<Empty> Unload(UnloadModelRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Empty());

    public override Task<Empty> DeleteHead(DeleteHeadRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new Empty());
}
