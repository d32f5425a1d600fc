using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>Long-running generations: look up, watch, cancel.</summary>
internal sealed class SessionsService(IGrainFactory grains, ModelDirectory models, GenerationRelay relay) : Protocol.V1.Sessions.SessionsBase
{
    static readonly GrainType SessionType = GrainType.Create("igpt.session");

    public override async Task<Session> Get(GetSessionRequest request, ServerCallContext context) => (await Find(request.SessionId).GetAsync()).ToMessage();

    public override async Task<ListSessionsResponse> List(ListSessionsRequest request, ServerCallContext context)
    {
        List<GrainId> active = await grains.GetGrain<IManagementGrain>(0).GetActiveGrains(SessionType, context.CancellationToken);
        SessionDescription?[] sessions = await Task.WhenAll(active.Select(grain => DescribeAsync(grain.Key.ToString()!)));
        return new ListSessionsResponse { Sessions = { sessions.OfType<SessionDescription>().OrderBy(session => session.Created).Select(session => session.ToMessage()) } };
    }

    public override async Task<Session> Cancel(CancelSessionRequest request, ServerCallContext context) => (await Find(request.SessionId).CancelAsync()).ToMessage();

    public override async Task Attach(AttachRequest request, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context)
    {
        StreamOptions stream = GenerationRelay.Checked(request.Stream);
        SessionDescription session = await Find(request.SessionId).GetAsync();
        GenerationSpec spec = session.Spec;
        int from = request.FromPosition == 0 ? spec.Prompt.Length : (int)Math.Min(request.FromPosition, int.MaxValue);
        Require.That(
            from >= spec.Prompt.Length && from <= spec.EndPosition,
            "from_position",
            $"must lie between the prompt's end, {spec.Prompt.Length}, and the generation's, {spec.EndPosition}; given {request.FromPosition}");
        ServedModel model = await models.GetAsync(spec.Model);
        await relay.RunAsync([(session.Id, new EventSource(model, session.Id, spec, stream, from))], responseStream, context.CancellationToken);
    }

    ISessionGrain Find(string id)
    {
        if (!SessionId.IsWellFormed(id))
        {
            throw new IgptException(IgptErrorCode.SessionNotFound, $"no session '{id}': a session's id is 32 lower-case hexadecimal digits") { Field = "session_id" };
        }

        // Sessions live on silos with devices: without one there is nowhere to ask.
        models.RequireDevices();
        return grains.GetGrain<ISessionGrain>(id);
    }

    async Task<SessionDescription?> DescribeAsync(string id)
    {
        try
        {
            return await grains.GetGrain<ISessionGrain>(id).GetAsync();
        }
        catch (IgptException gone) when (gone.Code == IgptErrorCode.SessionNotFound)
        {
            return null;
        }
    }
}
