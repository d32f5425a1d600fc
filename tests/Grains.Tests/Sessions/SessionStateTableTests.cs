using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions;
using IgptCluster.Grains.Sessions.State;
using static IgptCluster.Grains.Tests.Sessions.SessionsInPhase;

namespace IgptCluster.Grains.Tests.Sessions;

/// <summary>
/// The table of docs/architecture.md against the state machine: every event in every phase. A cell is the phase that follows, with ! where the session is stored at once and ~ where it is
/// stored soon; = is the same phase, empty is no change at all, and – a phase that no session of the row can be in.
/// </summary>
public sealed class SessionStateTableTests
{
    static readonly GenerationSpec Brief = Spec with { TimeToLive = TimeSpan.Zero };

    /// <summary>The rows: what the table calls an event, the session it happens to, and the event itself.</summary>
    static readonly Dictionary<string, (Func<SessionPhase, SessionState?> Session, Func<SessionState, SessionEvent> Event)> Rows = new()
    {
        ["Started"] = (Session, _ => new SessionEvent.Started(new RunOrder.Anywhere())),
        ["Joined"] = (Session, _ => new SessionEvent.Joined(Guid.NewGuid())),
        ["Withdrawn"] = (Session, _ => new SessionEvent.Withdrawn(Attempt)),
        ["Withdrawn, of another attempt"] = (Session, _ => new SessionEvent.Withdrawn(Guid.NewGuid())),
        ["Withdrawn, watched"] = (Watched, _ => new SessionEvent.Withdrawn(Attempt)),
        ["Restored"] = (Session, _ => new SessionEvent.Restored(null)),
        ["Awoken"] = (Session, _ => new SessionEvent.Awoken()),
        ["Awoken, all tokens made"] = (Complete, _ => new SessionEvent.Awoken()),
        ["ViewerCame"] = (Session, _ => new SessionEvent.ViewerCame()),
        ["ViewerCame, all tokens made"] = (Complete, _ => new SessionEvent.ViewerCame()),
        ["ViewerLeft, the last"] = (Watched, _ => new SessionEvent.ViewerLeft()),
        ["ViewerLeft, the last, no time to live"] = (phase => Enter(In(phase, Brief)), _ => new SessionEvent.ViewerLeft()),
        ["ViewerLeft, another stays"] = (phase => Enter(Watched(phase)), _ => new SessionEvent.ViewerLeft()),
        ["Paused"] = (Session, _ => new SessionEvent.Paused("new")),
        ["Paused, known operation"] = (phase => Known(Session(phase)), _ => new SessionEvent.Paused("known")),
        ["Resumed"] = (Session, _ => new SessionEvent.Resumed("new")),
        ["Resumed, known operation"] = (phase => Known(Session(phase)), _ => new SessionEvent.Resumed("known")),
        ["Resumed, all tokens made"] = (Complete, _ => new SessionEvent.Resumed("new")),
        ["Cancelled"] = (Session, _ => new SessionEvent.Cancelled("new")),
        ["Cancelled, known operation"] = (phase => Known(Session(phase)), _ => new SessionEvent.Cancelled("known")),
        ["Rewound"] = (Session, session => new SessionEvent.Rewound(new SessionBranch { Position = session.Spec.Prompt.Length, Operation = "new" })),
        ["Rewound, known operation"] = (phase => Known(Session(phase)), session => new SessionEvent.Rewound(new SessionBranch { Position = session.Spec.Prompt.Length, Operation = "known" })),
        ["Abandoned"] = (Session, _ => new SessionEvent.Abandoned(Pause: false)),
        ["Abandoned, at a deadline"] = (Session, _ => new SessionEvent.Abandoned(Pause: true)),
        ["Abandoned, no time to live"] = (phase => In(phase, Brief), _ => new SessionEvent.Abandoned(Pause: true)),
        ["Abandoned, watched"] = (Watched, _ => new SessionEvent.Abandoned(Pause: true)),
        ["Deleted"] = (Watched, _ => new SessionEvent.Deleted()),
        ["Expired"] = (Session, _ => new SessionEvent.Expired()),
        ["Expired, watched"] = (Watched, _ => new SessionEvent.Expired()),
        ["Stored"] = (Session, session => session.AsStored()),
        ["NotStored"] = (Session, _ => new SessionEvent.NotStored()),
        ["Taken"] = (Session, _ => new SessionEvent.Taken()),
        ["Placed"] = (Session, session => new SessionEvent.Placed(session.Run, Replica)),
        ["Refused"] = (Session, session => new SessionEvent.Refused(session.Run)),
        ["SearchedInVain"] = (Session, session => new SessionEvent.SearchedInVain(session.Run, "why")),
        ["SearchedInVain, no time to live"] = (phase => In(phase, Brief), session => new SessionEvent.SearchedInVain(session.Run, "why")),
        ["Made"] = (Session, session => new SessionEvent.Made(session.Run, session.Tokens.End, [1])),
        ["Made, to the end of a row"] = (Session, session => new SessionEvent.Made(session.Run, session.Tokens.End, new int[8])),
        ["Ended"] = (Session, session => new SessionEvent.Ended(session.Run, new SessionResult(SessionEnd.Completed, "", NoTime))),
        ["Lost"] = (Session, session => new SessionEvent.Lost(session.Run, "why")),
        ["Lost, all tokens made"] = (Complete, session => new SessionEvent.Lost(session.Run, "why")),
        ["Lost, too often"] = (phase => In(phase, Spec, options: new SessionOptions { MaxResumptions = 0 }), session => new SessionEvent.Lost(session.Run, "why")),
    };

    static readonly SessionPhase[] Phases = [.. Enum.GetValues<SessionPhase>().Where(phase => phase is not (SessionPhase.Forgotten or SessionPhase.Taken))];

    public static TheoryData<string> RowNames => [.. Rows.Keys];

    [Theory]
    [MemberData(nameof(RowNames))]
    public void Apply_EventInEachPhase_IsAsDocumented(string row)
    {
        (string[] phases, Dictionary<string, string[]> table) = Documented();
        Assert.Equal(Phases.Select(phase => $"{phase}"), phases);
        Assert.True(table.TryGetValue(row, out string[]? cells), $"docs/architecture.md has no row '{row}'");
        Assert.Equal(cells, Phases.Select(phase => Cell(row, phase)));
    }

    [Fact]
    public void Table_OfTheDocument_HasEveryEventAndNoOther()
    {
        Assert.Equal(Rows.Keys.Order(), Documented().Table.Keys.Order());
        IEnumerable<string> events = typeof(SessionEvent).GetNestedTypes(System.Reflection.BindingFlags.NonPublic).Where(type => !type.IsAbstract).Select(type => type.Name);
        Assert.Equal(events.Order(), Rows.Keys.Select(row => row.Split(',')[0]).Distinct().Order());
    }

    [Theory]
    [MemberData(nameof(RowNames))]
    public void Apply_Forgotten_ChangesNothing(string row)
    {
        foreach (SessionEvent last in (SessionEvent[])[new SessionEvent.Deleted(), new SessionEvent.Taken()])
        {
            SessionState session = Session(SessionPhase.Running)!;
            session.Apply(last);
            SessionPhase phase = session.Phase;
            Assert.Equal(default, session.Apply(Rows[row].Event(session)) with { Alarm = null });
            Assert.Equal(phase, session.Phase);
        }
    }

    static string Cell(string row, SessionPhase phase)
    {
        if (Rows[row].Session(phase) is not { } session)
        {
            return "–";
        }

        Effects effects = session.Apply(Rows[row].Event(session));
        RequireOrderOf(phase, session.Phase, effects);
        string commit = effects.Commit switch { CommitDemand.Now => "!", CommitDemand.Soon => "~", _ => "" };
        return session.Phase != phase ? $"{session.Phase}{commit}" : commit.Length > 0 || effects.Run is not null ? $"={commit}" : "";
    }

    /// <summary>What the run and the activation do follows from the phase alone.</summary>
    static void RequireOrderOf(SessionPhase before, SessionPhase after, Effects effects)
    {
        if (before != after || effects.Run is not null)
        {
            Assert.Equal(
                after switch
                {
                    SessionPhase.Searching => typeof(RunOrder.Search),
                    SessionPhase.Resuming => typeof(RunOrder.Anywhere),
                    SessionPhase.Queued or SessionPhase.Running or SessionPhase.Stranded => null,
                    _ => typeof(RunOrder.Stop),
                },
                effects.Run?.GetType());
        }

        Assert.Equal(after switch { SessionPhase.Forgotten => SessionExit.Remove, SessionPhase.Taken => SessionExit.Leave, _ => SessionExit.Stay }, effects.Exit);
    }

    static SessionState? Session(SessionPhase phase) => In(phase, Spec);

    static SessionState? Watched(SessionPhase phase) => Enter(In(phase, Spec));

    /// <summary>Where a session with all its tokens can be: only its end is missing.</summary>
    static SessionState? Complete(SessionPhase phase) =>
        phase is SessionPhase.Running or SessionPhase.Interrupted or SessionPhase.Paused or SessionPhase.Finished ? In(phase, Spec, TokenCount) : null;

    static SessionState? Known(SessionState? session)
    {
        session?.Operations.TryNote("known");
        return session;
    }

    /// <summary>A viewer of a paused session makes it go on, so that a paused one has none until it is paused again.</summary>
    static SessionState? Enter(SessionState? session)
    {
        bool wasPaused = session?.Phase == SessionPhase.Paused;
        session?.Apply(new SessionEvent.ViewerCame());
        if (wasPaused)
        {
            session!.Apply(new SessionEvent.Paused(""));
        }

        return session;
    }

    static (string[] Phases, Dictionary<string, string[]> Table) Documented()
    {
        string[][] lines = [.. File.ReadLines(Path.Combine(Root(), "docs", "architecture.md"))
            .SkipWhile(line => !line.StartsWith("| event |", StringComparison.Ordinal)).TakeWhile(line => line.StartsWith('|'))
            .Select(line => line.Split('|', StringSplitOptions.TrimEntries)[1..^1])];
        return (lines[0][1..], lines[2..].ToDictionary(cells => cells[0], cells => cells[1..]));
    }

    static string Root()
    {
        string? folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "IgptCluster.sln")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        return folder ?? throw new InvalidOperationException($"no IgptCluster.sln above {AppContext.BaseDirectory}");
    }
}
