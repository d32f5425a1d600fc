using Google.Protobuf;
using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Generations;

/// <summary>What the caller has of one sample, and so what of an event is new to it. Everything that does not fit is an error. One thread at a time.</summary>
/// <param name="sessionId">The session.</param>
/// <param name="firstPosition">Where the caller wants to begin; 0 = the prompt's end.</param>
/// <param name="rewinds">How often the caller thinks it has been rewound; null = any number.</param>
/// <param name="stream">What the stream carries.</param>
internal sealed class SampleProgress(string sessionId, uint firstPosition, uint? rewinds, StreamOptions? stream)
{
    // What was delivered, so that a replay can be held against it.
    readonly List<uint> _tokens = [];
    GenerationStarted? _started;
    uint _sample;

    internal string SessionId { get; } = sessionId;

    internal bool IsFinished { get; private set; }

    uint Position => _started!.ResumedFrom + (uint)_tokens.Count;

    /// <summary>What of an event the caller has not got yet; null for nothing.</summary>
    /// <param name="happened">The next event of a stream that may begin anywhere before the caller's position.</param>
    /// <exception cref="RpcException">DATA_LOSS: tokens are missing or others than before. ABORTED: the session was rewound.</exception>
    internal GenerateEvent? Take(GenerateEvent happened)
    {
        if (happened.SessionId != SessionId)
        {
            throw Wrong($"the sample is session {SessionId}, an event is of session {happened.SessionId}");
        }

        if (_started is not null && happened.Sample != _sample)
        {
            throw Wrong($"session {SessionId} is sample {_sample}, an event of it is of sample {happened.Sample}");
        }

        return happened.EventCase switch
        {
            GenerateEvent.EventOneofCase.Started => IsNew(happened.Started, happened.Sample) ? happened : null,
            _ when _started is null => throw Wrong($"the first event is '{happened.EventCase}' and not 'started'"),
            GenerateEvent.EventOneofCase.Tokens => Cut(happened),
            GenerateEvent.EventOneofCase.Finished => IsNew(happened.Finished) ? happened : null,

            // A later version's.
            _ => null,
        };
    }

    /// <summary>Asks for what is still missing.</summary>
    internal AttachRequest Rest()
    {
        var request = new AttachRequest { SessionId = SessionId, FromPosition = _started is null ? firstPosition : Position, Stream = stream };
        if ((_started?.Rewinds ?? rewinds) is { } known)
        {
            request.Rewinds = known;
        }

        return request;
    }

    bool IsNew(GenerationStarted started, uint sample)
    {
        if (_started is null)
        {
            (_started, _sample) = (started, sample);
            return true;
        }

        if (started.Rewinds != _started.Rewinds)
        {
            throw new RpcException(new Status(StatusCode.Aborted, $"session {SessionId} was rewound while it was followed: attach to it again from the beginning"));
        }

        return started.ResumedFrom <= Position ? false : throw Missing(started.ResumedFrom);
    }

    GenerateEvent? Cut(GenerateEvent happened)
    {
        GeneratedTokens given = happened.Tokens;
        if (given.Position > Position)
        {
            throw Missing(given.Position);
        }

        uint first = _started!.ResumedFrom;
        int known = (int)Math.Min(Position - given.Position, given.Ids.Count);
        for (int i = (int)Math.Min(first > given.Position ? first - given.Position : 0, known); i < known; i++)
        {
            int at = (int)(given.Position - first) + i;
            if (_tokens[at] != given.Ids[i])
            {
                throw Wrong($"session {SessionId} gave colour {_tokens[at]} at position {given.Position + i}, and {given.Ids[i]} when it was asked again");
            }
        }

        if (known == given.Ids.Count)
        {
            return null;
        }

        GenerateEvent fresh = known == 0 ? happened : Without(happened, known);
        if (IsFinished)
        {
            throw Wrong($"session {SessionId} gave tokens after it had finished");
        }

        _tokens.AddRange(fresh.Tokens.Ids);
        return fresh;
    }

    bool IsNew(GenerationFinished finished)
    {
        if (IsFinished)
        {
            return false;
        }

        if (finished.Reason is FinishReason.Completed or FinishReason.Length && finished.Usage is { } usage && _started!.PromptTokens + usage.GeneratedTokens != Position)
        {
            throw Missing(_started.PromptTokens + usage.GeneratedTokens);
        }

        return IsFinished = true;
    }

    static GenerateEvent Without(GenerateEvent happened, int known)
    {
        GeneratedTokens given = happened.Tokens;
        var rest = new GeneratedTokens { Position = given.Position + (uint)known, Ids = { given.Ids.Skip(known) } };
        if (given.Rgb.Length == given.Ids.Count * 3)
        {
            rest.Rgb = UnsafeByteOperations.UnsafeWrap(given.Rgb.Memory[(known * 3)..]);
        }

        return new GenerateEvent { SessionId = happened.SessionId, Sample = happened.Sample, Tokens = rest };
    }

    RpcException Missing(uint position) => Wrong($"session {SessionId} goes on at position {position}, and {Position} was to come");

    static RpcException Wrong(string what) => new(new Status(StatusCode.DataLoss, $"the stream breaks its rules: {what}"));
}
