using System.Diagnostics;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Chaos.Work;

/// <summary>What one viewer sees of one session: checks it against the reference as it comes, and notes when. One thread at a time takes events; any may look.</summary>
/// <param name="who">For messages.</param>
/// <param name="client">Whose stream it is.</param>
/// <param name="reference">What the session must give, from its prompt's end.</param>
/// <param name="prompt">Tokens of the prompt.</param>
/// <param name="from">Position of the first token this viewer asked for.</param>
internal sealed class Track(string who, LoadClient client, uint[] reference, int prompt, int from, Violations violations)
{
    readonly Lock _lock = new();
    readonly List<long> _arrivals = [];
    readonly int _first = from;
    int _next = from;
    bool _isBroken;

    internal string SessionId { get; private set; } = "";

    /// <summary>The gateway it comes through.</summary>
    internal Uri Gateway => client.Gateway;

    internal bool IsFinished { get; private set; }

    internal int Next => Volatile.Read(ref _next);

    internal uint Resumptions { get; private set; }

    /// <summary>Whether tokens have come, and more will.</summary>
    internal bool IsStreaming => !IsFinished && Next > _first;

    /// <summary>When something came.</summary>
    internal long[] Arrivals()
    {
        lock (_lock)
        {
            return [.. _arrivals];
        }
    }

    internal void Take(GenerateEvent happened)
    {
        lock (_lock)
        {
            _arrivals.Add(Stopwatch.GetTimestamp());
        }

        Require(!IsFinished, "something came after the end");
        switch (happened.EventCase)
        {
            case GenerateEvent.EventOneofCase.Started:
                Require(SessionId.Length == 0, "it started twice");
                SessionId = happened.SessionId;
                break;
            case GenerateEvent.EventOneofCase.Tokens:
                Take(happened.Tokens);
                break;
            case GenerateEvent.EventOneofCase.Finished:
                IsFinished = true;
                Resumptions = happened.Finished.Timings?.Resumptions ?? 0;
                Require(happened.Finished.Reason is FinishReason.Completed or FinishReason.Length, $"it ended as {happened.Finished.Reason}: {happened.Finished.Message}");
                Require(Next == prompt + reference.Length, $"it ended at {Next} of {prompt + reference.Length}");
                break;
        }
    }

    /// <summary>The enumeration is over.</summary>
    /// <param name="failure">Why, if not well.</param>
    internal void End(Exception? failure)
    {
        Require(failure is null, $"its enumeration failed at {Next}: {failure?.Message}");
        Require(failure is not null || IsFinished, $"its enumeration ended at {Next} without an end");
    }

    void Take(GeneratedTokens tokens)
    {
        Require(tokens.Position == Next, $"position {tokens.Position} came where {Next} was due");
        for (int i = 0; i < tokens.Ids.Count; i++)
        {
            int at = (int)tokens.Position + i - prompt;
            Require(at < reference.Length && tokens.Ids[i] == reference[at], $"position {tokens.Position + i} came as {tokens.Ids[i]}, undisturbed as {(at < reference.Length ? reference[at] : -1)}");
        }

        Volatile.Write(ref _next, (int)tokens.Position + tokens.Ids.Count);
    }

    // One for each viewer: what follows from it tells nothing.
    void Require(bool holds, string otherwise)
    {
        if (!holds && !_isBroken)
        {
            _isBroken = true;
            violations.Add($"{who} of session {SessionId}: {otherwise}");
        }
    }
}
