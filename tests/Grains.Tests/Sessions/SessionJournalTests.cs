using IgptCluster.Grains.Sessions.State;
using IgptCluster.Grains.Sessions.Storage;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IgptCluster.Grains.Tests.Sessions;

public sealed class SessionJournalTests
{
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    readonly FakeTimeProvider _time = new();
    readonly FakeSessionStorage _storage = new();
    readonly SessionJournal _journal;
    int _writes;
    TimeSpan _takes;

    public SessionJournalTests()
    {
        SessionState session = SessionsInPhase.In(SessionPhase.Running, SessionsInPhase.Spec)!;
        var store = new SessionStore(_storage, GrainId.Create("session", "one"));
        _journal = new SessionJournal(store, () => session, () => null, _ => { }, _time, NullLogger.Instance);
        _storage.BeforeWrite = _ =>
        {
            _writes++;
            _time.Advance(_takes);
            return Task.CompletedTask;
        };
    }

    [Fact]
    public void CommitWithin_StoreThatAnswersAtOnce_WaitsForNothing()
    {
        for (int token = 1; token <= 5; token++)
        {
            _journal.CommitWithin(Interval);
            Assert.Equal(token, _writes);
        }
    }

    [Fact]
    public void CommitWithin_StoreThatTakesAWhile_RestsThreeTimesAsLong()
    {
        // What writes take is learned by a quarter at a time: 8 ms once are 2.
        _takes = TimeSpan.FromMilliseconds(8);
        _journal.CommitNow();
        _journal.CommitWithin(Interval);
        _time.Advance(TimeSpan.FromMilliseconds(5.9));
        _journal.CommitWithin(Interval);
        Assert.Equal(1, _writes);
        _time.Advance(TimeSpan.FromMilliseconds(0.1));
        Assert.Equal(2, _writes);
    }

    [Fact]
    public void CommitWithin_StoreThatIsSlow_WaitsForTheIntervalAtMost()
    {
        _takes = TimeSpan.FromSeconds(1);
        _journal.CommitNow();
        _journal.CommitWithin(Interval);
        _time.Advance(Interval - TimeSpan.FromMilliseconds(1));
        Assert.Equal(1, _writes);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        Assert.Equal(2, _writes);
    }
}
