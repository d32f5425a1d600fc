using CsCheck;
using IgptCluster.Grains.Sessions;
using IgptCluster.Grains.Sessions.State;

namespace IgptCluster.Grains.Tests.Sessions;

/// <summary>What holds for a session whatever happens to it, in whatever order.</summary>
public sealed class SessionStatePropertyTests
{
    static readonly Gen<(int Step, int Detail)[]> Steps = Gen.Select(Gen.Int[0, 30], Gen.Int[0, 7]).Array[1, 80];

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void Apply_EventsInAnyOrder_KeepEveryPromise(int minutes)
    {
        var reached = new System.Collections.Concurrent.ConcurrentDictionary<SessionPhase, bool>();
        Steps.Sample(
            steps =>
            {
                var model = new SessionModel(TimeSpan.FromMinutes(minutes), new SessionOptions());
                foreach ((int step, int detail) in steps)
                {
                    model.Take(step, detail);
                    reached[model.Phase] = true;
                }
            },
            iter: 20_000);

        // The orders tried are no trivial ones. Interrupted sessions are restored ones.
        IEnumerable<SessionPhase> wanted = Enum.GetValues<SessionPhase>().Where(phase => phase != SessionPhase.Interrupted && (phase != SessionPhase.Stranded || minutes > 0));
        Assert.Equal(wanted.Order(), reached.Keys.Order());
    }
}
