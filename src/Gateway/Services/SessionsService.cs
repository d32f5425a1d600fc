using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Sessions.Storage;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Services;

/// <summary>Long-running generations: look up, watch, branch off, steer, end.</summary>
internal sealed class SessionsService(IGrainFactory grains, ModelDirectory models, GenerationRelay relay, SessionStarts starts, SessionCatalog catalog, TimeProvider time) : Protocol.V1.Sessions.SessionsBase
{
    const uint DefaultLimit = 1000;
    const uint MostSessions = 10_000;

    public override async Task<Session> Get(GetSessionRequest request, ServerCallContext context) => (await LookAsync(request.SessionId, context)).ToMessage();

    /// <summary>What a session has made so far.</summary>
    /// <param name="request">Which.</param>
    /// <param name="context">The call.</param>
    internal Task<SessionSnapshot> PeekAsync(GetSessionRequest request, ServerCallContext context) => Passing.OutlastAsync(Find(request.SessionId).PeekAsync, time, context.CancellationToken);

    public override async Task<ListSessionsResponse> List(ListSessionsRequest request, ServerCallContext context)
    {
        Require.That(request.Limit <= MostSessions, "limit", $"at most {MostSessions:N0} sessions are told at once (0 = {DefaultLimit:N0}); given {request.Limit:N0}");
        bool IsWanted(SessionDescription session) => (request.Model.Length == 0 || session.Spec.Model == request.Model)
            && (request.State == SessionState.Unspecified || session.ToMessage().State == request.State);
        uint limit = request.Limit == 0 ? DefaultLimit : request.Limit;
        IReadOnlyList<SessionDescription> sessions = await catalog.ListAsync(IsWanted, (int)limit, context.CancellationToken);
        return new ListSessionsResponse { Sessions = { sessions.Select(session => session.ToMessage()) } };
    }

    public override async Task Attach(AttachRequest request, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context)
    {
        StreamOptions stream = GenerationRelay.Checked(request.Stream);
        SessionDescription session = await LookAsync(request.SessionId, context);
        if (request.HasRewinds && request.Rewinds != session.Rewinds)
        {
            throw new IgptException(
                IgptErrorCode.SessionRewound, $"session {session.Id} has been rewound {session.Rewinds} times; given {request.Rewinds}: attach again from the prompt's end")
            { Field = "rewinds" };
        }

        GenerationSpec spec = session.Spec;
        long from = request.FromPosition == 0 ? spec.Prompt.Length : request.FromPosition;
        spec.RequireReadableFrom(from);
        ServedModel model = await models.GetAsync(spec.Model);
        var events = new SessionEvents(model, session.Id, spec, stream, (int)from);
        await relay.RunAsync([new RelayedSession(session.Id, events, session.Rewinds)], responseStream, context.CancellationToken);
    }

    public override async Task<Session> Fork(ForkSessionRequest request, ServerCallContext context)
    {
        SessionDescription session = await LookAsync(request.SessionId, context);
        SamplingChange sampling = GenerationFields.Sampling(request.Sampling);
        SessionBranch branch = await BranchAsync(
            session, request.AtPosition == 0 ? session.Position : (int)Math.Min(request.AtPosition, int.MaxValue), request.Forced, request.OperationId);
        sampling = sampling with { Seed = sampling.Seed ?? BitConverter.ToUInt64(System.Security.Cryptography.RandomNumberGenerator.GetBytes(sizeof(ulong))) };
        return (await starts.ForkAsync(session.Id, SessionIds.OfFork(session.Id, request.OperationId), branch with { Sampling = sampling })).ToMessage();
    }

    public override async Task<Session> Rewind(RewindSessionRequest request, ServerCallContext context)
    {
        ISessionGrain grain = Find(request.SessionId);
        SessionDescription session = await LookAsync(request.SessionId, context);
        SamplingChange sampling = GenerationFields.Sampling(request.Sampling);
        SessionBranch branch = await BranchAsync(
            session, request.ToPosition == 0 ? session.Spec.Prompt.Length : (int)Math.Min(request.ToPosition, int.MaxValue), request.Forced, request.OperationId);
        return (await grain.RewindAsync(branch with { Sampling = sampling })).ToMessage();
    }

    public override async Task<Session> Pause(PauseSessionRequest request, ServerCallContext context) =>
        (await Find(request.SessionId).PauseAsync(GenerationFields.Operation(request.OperationId))).ToMessage();

    public override async Task<Session> Resume(ResumeSessionRequest request, ServerCallContext context) =>
        (await Find(request.SessionId).ResumeAsync(GenerationFields.Operation(request.OperationId))).ToMessage();

    public override async Task<Session> Cancel(CancelSessionRequest request, ServerCallContext context) =>
        (await Find(request.SessionId).CancelAsync(GenerationFields.Operation(request.OperationId))).ToMessage();

    public override async Task<Empty> Delete(DeleteSessionRequest request, ServerCallContext context)
    {
        _ = GenerationFields.Operation(request.OperationId);
        await Find(request.SessionId).DeleteAsync();
        return new Empty();
    }

    async Task<SessionBranch> BranchAsync(SessionDescription session, int position, IReadOnlyList<Protocol.V1.ForcedToken> forced, string operation)
    {
        ServedModel model = await models.GetAsync(session.Spec.Model);
        return new SessionBranch
        {
            Position = position,
            Forced = GenerationFields.Forced(forced, position, session.Spec.Width * session.Spec.Height, model.Description.VocabularySize - 1),
            Operation = GenerationFields.Operation(operation),
        };
    }

    Task<SessionDescription> LookAsync(string id, ServerCallContext context) => Passing.OutlastAsync(Find(id).GetAsync, time, context.CancellationToken);

    ISessionGrain Find(string id)
    {
        if (!SessionId.IsWellFormed(id))
        {
            throw new IgptException(IgptErrorCode.SessionNotFound, $"no session {Echo.Quoted(id)}: a session's id is 32 lower-case hexadecimal digits") { Field = "session_id" };
        }

        // Sessions live on silos with devices: without one there is nowhere to ask.
        models.RequireDevices();
        return grains.GetGrain<ISessionGrain>(id);
    }
}
