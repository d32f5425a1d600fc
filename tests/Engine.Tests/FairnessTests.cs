using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Engine.Tests;

/// <summary>Who is served when not all can be: clients evenly, priorities first, and who was accepted before is not refused.</summary>
public sealed class FairnessTests
{
    static readonly ModelShape Shape = FakeModelRunner.SmallShape;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public void Schedule_OneClientHasQueuedMuch_OthersAreServedInTurn()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        var ends = new List<string>();
        (string Client, Generation Generation)[] all =
        [
            .. Enumerable.Range(0, 6).Select(i => ("greedy", engine.Add(Request($"g{i}", made: 10, "greedy")))),
            .. Enumerable.Range(0, 2).Select(i => ("modest", engine.Add(Request($"m{i}", made: 10, "modest")))),
        ];
        while (engine.Scheduler.HasWork)
        {
            engine.Step();
            ends.AddRange(all.Where(one => one.Generation.Completion.IsCompleted).Select(one => one.Generation.Id.Value).Except(ends));
        }

        Assert.Equal(["g0", "m0", "g1", "m1", "g2", "g3", "g4", "g5"], ends);
    }

    [Fact]
    public void Schedule_ClientThatWasAway_HasSavedUpNothing()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        engine.Add(Request("early", made: 2, "away"));
        engine.RunToEnd();
        Generation[] steady = [.. Enumerable.Range(0, 6).Select(i => engine.Add(Request($"s{i}", made: 20, "steady")))];
        engine.RunSteps(60);
        Generation[] back = [.. Enumerable.Range(0, 6).Select(i => engine.Add(Request($"b{i}", made: 20, "away")))];
        int before = steady.Count(generation => generation.Completion.IsCompleted);
        engine.RunSteps(90);
        int served = steady.Count(generation => generation.Completion.IsCompleted) - before;
        Assert.InRange(served, 2, 3);
        Assert.InRange(back.Count(generation => generation.Completion.IsCompleted), 2, 3);
    }

    [Fact]
    public void Schedule_HigherPriorityWaits_TakesTheSlotOfTheLowestAndThatOneGoesOnLater()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2);
        Generation usual = engine.Add(Request("usual", made: 30));
        Generation low = engine.Add(Request("low", made: 30) with { Priority = -1 });
        engine.RunSteps(10);
        Generation urgent = engine.Add(Request("urgent", made: 5) with { Priority = 3 });
        engine.RunSteps(6);
        Assert.True(urgent.Completion.IsCompleted);
        Assert.False(usual.Completion.IsCompleted || low.Completion.IsCompleted);
        Assert.Equal(1, engine.Scheduler.Preemptions);
        engine.RunToEnd();
        int[] expected = FakeModelRunner.GreedyAfter(Shape, [1, 2, 3], 30);
        Assert.Equal(expected, Tokens(usual));
        Assert.Equal(expected, Tokens(low));
        Assert.Equal(0, engine.Scheduler.SlotsUsed);
    }

    [Fact]
    public void Schedule_EqualPriorityWaits_PreemptsNobody()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        engine.Add(Request("first", made: 10));
        engine.Step();
        engine.Add(Request("second", made: 10));
        engine.RunToEnd();
        Assert.Equal(0, engine.Scheduler.Preemptions);
    }

    [Fact]
    public async Task TrySubmit_TokensOfTheQueueAreUsedUp_RefusesAndTakesReadmissionsFirst()
    {
        using var gate = new SemaphoreSlim(0);
        var runner = new FakeModelRunner(Shape, slots: 1) { BeforeStep = _ => gate.Wait(Cancelled) };
        await using var engine = new EngineLoop(
            new EngineOptions { MaxWaiting = 100, MaxWaitingTokens = 60 }, () => runner, TimeProvider.System, Microsoft.Extensions.Logging.Abstractions.NullLogger.Instance);
        await engine.StartAsync();
        var accepted = new List<Generation>();
        while (engine.TrySubmit(Request($"{accepted.Count}", made: 16), out Generation? generation) == SubmitOutcome.Accepted)
        {
            accepted.Add(generation!);
        }

        // A slot's 64 tokens and 60 more, of 1 + 3 + 16 each.
        Assert.Equal(6, accepted.Count);
        Assert.Equal(SubmitOutcome.Accepted, engine.TrySubmit(Request("moved", made: 16) with { IsReadmission = true }, out Generation? moved));
        gate.Release(1000);
        Assert.Equal(FinishReason.Length, (await moved!.Completion).Reason);
        Assert.True((await moved.Completion).Queue < (await accepted[^1].Completion).Queue, "it came before what was new");
        foreach (Generation generation in accepted)
        {
            Assert.Equal(FinishReason.Length, (await generation.Completion).Reason);
        }

        Assert.Equal(SubmitOutcome.Accepted, engine.TrySubmit(Request("next", made: 16), out _));
    }

    static GenerationRequest Request(string id, int made, string client = "") => new()
    {
        Id = new SequenceId(id),
        Prompt = new[] { 1, 2, 3 },
        MaxNewTokens = made,
        Sampling = new SamplingParameters { Temperature = 0 },
        Client = client,
    };

    static int[] Tokens(Generation generation)
    {
        var tokens = new List<int>();
        while (generation.Tokens.TryRead(out GeneratedToken token))
        {
            tokens.Add(token.Token);
        }

        return [.. tokens];
    }
}
