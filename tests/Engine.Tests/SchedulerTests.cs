// No engine thread runs here: what is awaited elsewhere has completed when Step returns.
#pragma warning disable xUnit1031
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Engine.Scheduling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Engine.Tests;

public sealed class SchedulerTests
{
    static readonly ModelShape Shape = FakeModelRunner.SmallShape;
    static readonly SamplingParameters Greedy = new() { Temperature = 0 };

    [Fact]
    public void Schedule_DecodesAndPrefills_SpendsTheBudgetOnDecodesFirst()
    {
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 10 }, slots: 4);
        engine.Add(Generation("a", prompt: 3, made: 20));
        engine.Step();
        engine.Add(Generation("b", prompt: 40, made: 5));
        StepPlan plan = engine.Step();
        Assert.Equal([1, 9], plan.Chunks.Select(chunk => chunk.Tokens.Length));
        Assert.Equal(1, plan.Chunks[0].LogitRows);
        Assert.Equal(0, plan.Chunks[1].LogitRows);
        Assert.Equal(10, engine.Step().TokenCount);
    }

    [Fact]
    public void Schedule_DecodesWithAPrefill_LengthensTheirStepByTheStretchAtMost()
    {
        var engine = new Stepper(new EngineOptions { DecodeStretch = 3, MinPrefillTokens = 2 }, slots: 4) { PerStep = 6, PerToken = 1 };
        engine.Add(Generation("a", prompt: 20, made: 30));
        engine.Step();
        engine.Step();

        // A decode step takes 7 ms, 21 prefilled tokens took 27: 14 ms are 10 of those.
        engine.Add(Generation("b", prompt: 40, made: 5, offset: 3));
        Assert.Equal([1, 10], engine.Step().Chunks.Select(chunk => chunk.Tokens.Length));

        // Then it is known that a token takes 1 ms.
        engine.RunSteps(20);
        engine.Add(Generation("c", prompt: 40, made: 5, offset: 5));
        Assert.InRange(engine.Step().Chunks[^1].Tokens.Length, 10, 14);
    }

    [Fact]
    public void Schedule_PrefillsThatTakeLong_StillGetTheLeast()
    {
        var engine = new Stepper(new EngineOptions { DecodeStretch = 1.1, MinPrefillTokens = 3 }, slots: 4) { PerToken = 1 };
        engine.Add(Generation("a", prompt: 5, made: 30));
        engine.Step();
        engine.Step();
        engine.Add(Generation("b", prompt: 40, made: 5, offset: 3));
        Assert.Equal([1, 3], engine.Step().Chunks.Select(chunk => chunk.Tokens.Length));
    }

    [Fact]
    public void Schedule_PrefillsOfWhatStreamedElsewhere_GetTheWholeBudgetAndLeaveTheRestToOthers()
    {
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 31, DecodeStretch = 1.1, MinPrefillTokens = 3 }, slots: 4) { PerToken = 1 };
        engine.Add(Generation("decodes", prompt: 5, made: 30));
        engine.Step();
        engine.Step();
        engine.Add(Generation("new", prompt: 40, made: 5, offset: 3));
        engine.Add(Generation("moved", prompt: 40, made: 5, offset: 5) with { IsReadmission = true });
        Assert.Equal([1, 30], engine.Step().Chunks.Select(chunk => chunk.Tokens.Length));
        Assert.Equal([1, 11], engine.Step().Chunks.Select(chunk => chunk.Tokens.Length));
        Assert.Equal([1, 1, 3], engine.Step().Chunks.Select(chunk => chunk.Tokens.Length));
    }

    [Fact]
    public void Schedule_OneThatStreamedElsewhere_ComesBeforeThoseOfClientsThatWereServedLess()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        engine.Add(Generation("running", prompt: 2, made: 2) with { Client = "much" });
        engine.Step();
        Generation fresh = engine.Add(Generation("fresh", prompt: 2, made: 2) with { Client = "little" });
        Generation moved = engine.Add(Generation("moved", prompt: 2, made: 2) with { Client = "much", IsReadmission = true });
        while (!moved.Completion.IsCompleted)
        {
            Assert.False(fresh.Completion.IsCompleted);
            engine.Step();
        }

        engine.RunToEnd();
        Assert.True(fresh.Completion.IsCompleted);
    }

    [Fact]
    public void ScheduleAndApply_Decoding_AllocateNothing()
    {
        var engine = new Stepper(new EngineOptions(), slots: 4);
        for (int i = 0; i < 4; i++)
        {
            engine.Add(Generation($"{i}", prompt: 1, made: 60, offset: i));
        }

        engine.RunSteps(36);
        long before = engine.Allocated;
        engine.RunSteps(20);
        Assert.Equal(before, engine.Allocated);
    }

    [Fact]
    public void Schedule_MoreSequencesThanSlots_ServesByPriorityThenArrival()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        Generation first = engine.Add(Generation("first", prompt: 2, made: 2));
        Generation second = engine.Add(Generation("second", prompt: 2, made: 2));
        Generation urgent = engine.Add(Generation("urgent", prompt: 2, made: 2) with { Priority = 5 });
        var ended = new List<string>();
        while (engine.Scheduler.HasWork)
        {
            engine.Step();
            foreach (Generation generation in (Generation[])[first, second, urgent])
            {
                if (generation.Completion.IsCompleted && !ended.Contains(generation.Id.Value))
                {
                    ended.Add(generation.Id.Value);
                }
            }
        }

        Assert.Equal(["urgent", "first", "second"], ended);
    }

    [Fact]
    public void Schedule_SamplesOfOnePrompt_PrefillItOnce()
    {
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 16 }, slots: 8);
        Generation[] samples = [.. Enumerable.Range(0, 4).Select(i => engine.Add(Generation($"{i}", prompt: 40, made: 3, offset: 7)))];
        engine.RunToEnd();
        int[] expected = FakeModelRunner.GreedyAfter(Shape, Prompt(40, 7), 3);
        Assert.All(samples, sample => Assert.Equal(expected, Tokens(sample)));

        // 41 inputs once, the last of them again by each of the three others; then 2 decodes each (the third token is never fed).
        Assert.Equal(41 + 3 + (4 * 2), engine.Runner.Plans.Sum(plan => plan.TokenCount));
        Assert.Equal(3 * 40, engine.Scheduler.SharedTokens);
    }

    [Fact]
    public void Schedule_PromptSeenBefore_IsTakenFromTheFreedSlot()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2);
        engine.Add(Generation("a", prompt: 40, made: 1));
        engine.RunToEnd();
        Generation again = engine.Add(Generation("b", prompt: 40, made: 4));
        Assert.Equal(1, engine.Step().TokenCount);
        engine.RunToEnd();
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, Prompt(40), 4), Tokens(again));
    }

    [Fact]
    public void Schedule_PrefillOfThePromptCancelled_OthersDoItThemselves()
    {
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 8 }, slots: 4);
        engine.Add(Generation("a", prompt: 40, made: 3));
        Generation other = engine.Add(Generation("b", prompt: 40, made: 3));
        engine.Step();
        Assert.Equal(1, engine.Scheduler.Running);
        Assert.True(engine.Scheduler.Cancel(new SequenceId("a")));
        engine.RunToEnd();
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, Prompt(40), 3), Tokens(other));
    }

    [Fact]
    public void Schedule_ForcedTokens_AreTakenAndFedAsOneChunk()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        var forced = new Dictionary<int, int> { [2] = 5, [6] = 1, [7] = 2, [8] = 3, [99] = 4 };
        Generation painted = engine.Add(Generation("a", prompt: 2, made: 10) with { Forced = forced });
        engine.RunToEnd();
        int[] tokens = Tokens(painted);
        Assert.Equal(5, tokens[0]);
        Assert.Equal([1, 2, 3], tokens[4..7]);
        int[] upToFour = [.. Prompt(2), 5];
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, upToFour, 3), tokens[1..4]);
        int[] allBefore = [.. Prompt(2), .. tokens[..7]];
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, allBefore, 3), tokens[7..]);
        Assert.Contains(engine.Runner.Plans, plan => plan.Chunks[0].Tokens.Span.SequenceEqual([tokens[3], 1, 2, 3]));
    }

    [Fact]
    public void Add_EveryTokenForced_EndsWithoutAStep()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        Generation all = engine.Add(Generation("a", prompt: 0, made: 2) with { Forced = new Dictionary<int, int> { [0] = 3, [1] = 4 } });
        Assert.Equal([3, 4], Tokens(all));
        Assert.Equal(FinishReason.Length, all.Completion.Result.Reason);
        Assert.False(engine.Scheduler.HasWork);
    }

    [Fact]
    public void Apply_ImageToTheLastPosition_FillsItExactly()
    {
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 7 }, slots: 1);
        Generation whole = engine.Add(Generation("a", prompt: 0, made: Shape.PositionCount));
        engine.RunToEnd();
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, [], Shape.PositionCount), Tokens(whole));
    }

    [Fact]
    public void Apply_EvaluationsInChunks_EqualOneWholePass()
    {
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 9 }, slots: 2);
        var pooled = new EvaluationSequence(new EvaluationRequest { Id = new("p"), Tokens = Prompt(30), PooledLayers = [0, 2] }, Shape);
        var scored = new EvaluationSequence(new EvaluationRequest { Id = new("s"), Tokens = Prompt(30), LogProbabilities = true }, Shape);
        engine.Scheduler.Add(pooled);
        engine.Scheduler.Add(scored);
        engine.RunToEnd();
        double mean = Prompt(30).Average();
        Assert.Equal([(float)mean, (float)mean], [pooled.Completion.Result.Pooled[0][0], pooled.Completion.Result.Pooled[1][0] / 3], (left, right) => Math.Abs(left - right) < 1e-4);
        int[] image = Prompt(30);
        float[] expected = [.. image.Select((token, i) => -FakeModelRunner.LogitsAfter([Shape.StartToken, .. image[..i]], Shape.LogitCount)[token])];
        Assert.Equal(expected, scored.Completion.Result.LogProbabilities);
    }

    [Fact]
    public void Apply_RunnerThatDraws_MakesTheTokensOfOneThatGivesLogits()
    {
        int[][] made = [.. new[] { false, true }.Select(draws =>
        {
            var engine = new Stepper(new EngineOptions { MaxBatchTokens = 7 }, slots: 2) { Runner = { Draws = draws } };
            Generation[] streams = [.. Enumerable.Range(0, 3).Select(i => engine.Add(Generation($"{i}", prompt: 4 + i, made: 12) with
            {
                Sampling = new SamplingParameters { Seed = 5, Sample = (uint)i, TopK = 9 },
                Forced = new Dictionary<int, int> { [7] = 3, [11] = 2 },
            }))];
            engine.RunToEnd();
            return streams.SelectMany(Tokens).ToArray();
        })];
        Assert.Equal(36, made[0].Length);
        Assert.Equal(made[0], made[1]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Apply_OneRowNotFinite_FailsThatSequenceOnly(bool draws)
    {
        var engine = new Stepper(new EngineOptions(), slots: 3) { Runner = { Draws = draws } };
        engine.Runner.Poison = (FirstColour: 9, Position: 5);
        Generation good = engine.Add(Generation("good", prompt: 3, made: 8));
        Generation bad = engine.Add(Generation("bad", prompt: 3, made: 8, offset: 9));
        var badScore = new EvaluationSequence(new EvaluationRequest { Id = new("score"), Tokens = Prompt(12, 9), LogProbabilities = true }, Shape);
        engine.Scheduler.Add(badScore);
        engine.RunToEnd();
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, Prompt(3), 8), Tokens(good));
        Assert.Equal(FinishReason.Failed, bad.Completion.Result.Reason);
        Assert.Contains("position 5", bad.Completion.Result.Message, StringComparison.Ordinal);
        Assert.Equal(2, Tokens(bad).Length);
        Assert.IsType<SequenceFailedException>(badScore.Completion.Exception!.InnerException);
    }

    [Fact]
    public void Cancel_BetweenExecuteAndApply_FreesTheSlotAndMakesNoToken()
    {
        var engine = new Stepper(new EngineOptions(), slots: 1);
        Generation generation = engine.Add(Generation("a", prompt: 3, made: 20));
        engine.Step();
        engine.Step(betweenExecuteAndApply: () => Assert.True(engine.Scheduler.Cancel(new SequenceId("a"))));
        Assert.Equal(0, engine.Scheduler.SlotsUsed);
        Assert.Single(Tokens(generation));
        Assert.Equal(FinishReason.Cancelled, generation.Completion.Result.Reason);
    }

    [Fact]
    public void RandomTraffic_AnyOrder_EverySequenceEndsOnceWithItsOwnTokens()
    {
        var random = new Random(3);
        var engine = new Stepper(new EngineOptions { MaxBatchTokens = 24, MinSharedPrefix = 4 }, slots: 5);
        var expected = new Dictionary<Generation, int[]>();
        var cancelled = new HashSet<Generation>();
        for (int i = 0; i < 300; i++)
        {
            int prompt = random.Next(0, 50);
            int made = random.Next(1, Math.Min(14, Shape.PositionCount - prompt));
            int offset = random.Next(3);
            Generation added = engine.Add(Generation($"{i}", prompt, made, offset) with { Priority = random.Next(-1, 2) });
            expected[added] = FakeModelRunner.GreedyAfter(Shape, Prompt(prompt, offset), made);
            for (int step = random.Next(3); step > 0 && engine.Scheduler.HasWork; step--)
            {
                engine.Step();
            }

            if (random.Next(10) == 0 && engine.Scheduler.Cancel(new SequenceId($"{random.Next(i + 1)}")))
            {
                cancelled.UnionWith(expected.Keys.Where(generation => generation.Completion is { IsCompletedSuccessfully: true, Result.Reason: FinishReason.Cancelled }));
            }
        }

        engine.RunToEnd();
        Assert.NotEmpty(cancelled);
        Assert.All(expected, pair => Assert.True(pair.Key.Completion.IsCompletedSuccessfully));
        Assert.All(expected.Where(pair => !cancelled.Contains(pair.Key)), pair => Assert.Equal(pair.Value, Tokens(pair.Key)));
        Assert.Equal(0, engine.Scheduler.SlotsUsed);
    }

    [Theory]
    [InlineData("a", false, 40)]
    [InlineData("b", false, 0)]
    [InlineData("b", true, 40)]
    public void Schedule_PrefixOfAnotherClient_IsSharedOnlyWhereAllowed(string client, bool isAllowed, int shared)
    {
        // What runs, what has been freed, and what is being prefilled.
        var options = new EngineOptions { MinSharedPrefix = 4, SharesPrefixesAcrossClients = isAllowed };
        var running = new Stepper(options, slots: 2);
        running.Add(Generation("first", 40, 20) with { Client = "a" });
        running.Step();
        Assert.Equal(shared, SharedBy(running));

        var freed = new Stepper(options, slots: 1);
        freed.Add(Generation("first", 40, 1) with { Client = "a" });
        freed.RunToEnd();
        Assert.Equal(shared, SharedBy(freed));

        // One that waits for another's prefill tells as much as one that copies it.
        var together = new Stepper(options with { MaxBatchTokens = 200 }, slots: 2);
        together.Add(Generation("first", 40, 5) with { Client = "a" });
        together.Add(Generation("second", 40, 5) with { Client = client });
        Assert.Equal(shared > 0 ? 1 : 2, together.Step().Chunks.Count);

        long SharedBy(Stepper engine)
        {
            engine.Add(Generation("second", 40, 2) with { Client = client });
            engine.Step();
            return engine.Scheduler.SharedTokens;
        }
    }

    static int[] Prompt(int length, int offset = 0) => [.. Enumerable.Range(0, length).Select(i => ((i * i) + offset) % Shape.StartToken)];

    static GenerationRequest Generation(string id, int prompt, int made, int offset = 0) => new()
    {
        Id = new SequenceId(id),
        Prompt = Prompt(prompt, offset),
        MaxNewTokens = made,
        Sampling = Greedy,
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
