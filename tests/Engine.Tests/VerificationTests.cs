// No engine thread runs here: what is awaited elsewhere has completed when Step returns.
#pragma warning disable xUnit1031
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Engine.Tests;

public sealed class VerificationTests
{
    static readonly ModelShape Shape = FakeModelRunner.SmallShape;

    [Theory]
    [InlineData(0, false)]
    [InlineData(0.6, false)]
    [InlineData(0.95, false)]
    [InlineData(0.8, true)]
    [InlineData(1, false)]
    public void Schedule_GuessesOfAnyQuality_GiveTheTokensOfPlainDecoding(double share, bool draws)
    {
        // Prompts that share prefixes, forced pixels, all kinds of sampling, ends at any position, priorities that preempt, prefills beside, cancellations.
        const int Requests = 300;
        var plain = new Stepper(new EngineOptions { MaxBatchTokens = 48 }, slots: 5);
        var guessed = new Stepper(new EngineOptions { MaxBatchTokens = 48 }, slots: 5, new OracleDrafter(share)) { PerStep = 10, Runner = { Draws = draws } };
        (FinishReason[] reasons, int[][] tokens) = Run(plain);
        (FinishReason[] guessedReasons, int[][] guessedTokens) = Run(guessed);
        Assert.Equal(reasons, guessedReasons);
        Assert.Equal(tokens, guessedTokens);
        Assert.Equal(share > 0, guessed.Scheduler.AcceptedTokens > 500);
        Assert.True(guessed.Scheduler.DraftedTokens >= guessed.Scheduler.AcceptedTokens);

        static (FinishReason[] Reasons, int[][] Tokens) Run(Stepper engine)
        {
            var random = new Random(7);
            var streams = new List<Generation>();
            for (int request = 0; request < Requests; request++)
            {
                streams.Add(engine.Add(Request(random, request)));
                engine.RunSteps(1);
            }

            engine.RunToEnd();
            return ([.. streams.Select(stream => stream.Completion.Result.Reason)], [.. streams.Select(stream => Read(stream).ToArray())]);
        }
    }

    [Fact]
    public void Schedule_RightGuesses_TakesAStepForManyTokens()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2, new OracleDrafter(1)) { PerStep = 1 };
        Generation stream = engine.Add(Generation("a", prompt: 3, made: 60));
        engine.RunToEnd();
        Assert.Equal(60, Read(stream).Count());
        Assert.InRange(engine.Runner.Plans.Length, 3, 8);
        Assert.Equal(60 + 3, engine.Scheduler.ComputedTokens);
    }

    [Fact]
    public void Schedule_GuessesThatAreNeverRight_GuessesNothing()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2, new OracleDrafter(0)) { PerStep = 1 };
        engine.Add(Generation("a", prompt: 3, made: 60));
        engine.RunToEnd();
        Assert.Equal(0, engine.Scheduler.DraftedTokens);
        Assert.Equal(60, engine.Runner.Plans.Length);
    }

    [Fact]
    public void Schedule_RowsThatCostAsMuchAsSteps_SoonGuessesNothing()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2, new OracleDrafter(0.5)) { PerToken = 1 };
        for (int round = 0; round < 20; round++)
        {
            engine.Add(Generation("a", prompt: 3, made: 60));
            engine.RunToEnd();
        }

        // Once it is known what a row costs: one guess in a hundred tokens at most.
        Assert.InRange(engine.Scheduler.DraftedTokens, 1, 20);
    }

    [Fact]
    public void Schedule_GuessesBesideAPrompt_ArePutOff()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2, new OracleDrafter(1)) { PerStep = 1 };
        engine.Add(Generation("a", prompt: 3, made: 60));
        engine.RunSteps(2);
        engine.Add(Generation("b", prompt: 30, made: 2, offset: 5));
        StepPlan plan = engine.Step();
        Assert.Equal(2, plan.Chunks.Count);
        Assert.Single(plan.Chunks[0].Tokens.ToArray());
    }

    [Fact]
    public void Apply_LogitsBehindAWrongGuessThatAreNotFinite_AreNotLookedAt()
    {
        // Wrong guesses make colours 'poisoned' that the sequence itself never has.
        int[] expected = FakeModelRunner.GreedyAfter(Shape, [2, 3], 40);
        var engine = new Stepper(new EngineOptions(), slots: 1, new OracleDrafter(0.5)) { PerStep = 1 };
        engine.Runner.PoisonWhere = inputs => inputs.Count > 3 && !inputs.Skip(3).SequenceEqual(expected.Take(inputs.Count - 3));
        Generation stream = engine.Add(Generation("a", prompt: 2, made: 40, offset: 2) with { Sampling = new SamplingParameters { Temperature = 0 } });
        engine.RunToEnd();
        Assert.Equal(expected, Read(stream));
        Assert.True(engine.Scheduler.DraftedTokens > engine.Scheduler.AcceptedTokens);
    }

    [Fact]
    public void Apply_CancelledWhileGuessesAreVerified_LeavesTheSlotUsable()
    {
        var engine = new Stepper(new EngineOptions { MinSharedPrefix = 1 }, slots: 1, new OracleDrafter(0.7)) { PerStep = 1 };
        Generation first = engine.Add(Generation("a", prompt: 3, made: 50));
        engine.RunSteps(3);
        engine.Step(betweenExecuteAndApply: () => engine.Scheduler.Cancel(new SequenceId("a")));
        int[] made = [.. Read(first)];
        Generation second = engine.Add(Generation("b", prompt: 3, made: 50));
        engine.RunToEnd();
        Assert.Equal(made, Read(second).Take(made.Length));
        Assert.Equal(FinishReason.Cancelled, first.Completion.Result.Reason);
    }

    [Fact]
    public void Step_WithGuesses_AllocatesNothing()
    {
        var engine = new Stepper(new EngineOptions(), slots: 2, new OneColourDrafter()) { PerStep = 1 };
        engine.Add(Generation("a", prompt: 3, made: 60));
        while (engine.Scheduler.ComputedTokens < 40)
        {
            engine.Step(); // until its channel has grown
        }

        (long before, long drafted) = (engine.Allocated, engine.Scheduler.DraftedTokens);
        engine.RunSteps(5);
        Assert.Equal(1, engine.Scheduler.Running);
        Assert.True(engine.Scheduler.DraftedTokens > drafted);
        Assert.Equal(before, engine.Allocated);
    }

    static GenerationRequest Request(Random random, int index)
    {
        int prompt = random.Next(30), made = 1 + random.Next(Shape.PositionCount - prompt);
        double[] temperatures = [0, 0.7, 1, 1.3];
        return Generation($"{index}", prompt, made, offset: random.Next(3)) with
        {
            Priority = random.Next(3),
            Client = $"{random.Next(2)}",
            Sampling = new SamplingParameters
            {
                Temperature = temperatures[random.Next(temperatures.Length)],
                TopK = random.Next(3) == 0 ? 5 : 0,
                TopP = random.Next(3) == 0 ? 0.8 : 1,
                Seed = (ulong)random.Next(),
                Sample = (uint)random.Next(3),
            },
            Forced = Enumerable.Range(0, random.Next(20)).Select(_ => random.Next(Shape.PositionCount)).Distinct().ToDictionary(position => position, _ => random.Next(Shape.ColourCount)),
        };
    }

    static GenerationRequest Generation(string id, int prompt, int made, int offset = 0) => new()
    {
        Id = new SequenceId(id),
        Prompt = Enumerable.Range(0, prompt).Select(i => (i + offset) % Shape.ColourCount).ToArray(),
        MaxNewTokens = made,
    };

    static IEnumerable<int> Read(Generation stream)
    {
        while (stream.Tokens.TryRead(out GeneratedToken token))
        {
            yield return token.Token;
        }
    }

    sealed class OneColourDrafter : IDrafter, ISequenceDrafter
    {
        public string Name => "one colour";

        public ISequenceDrafter Begin(SamplingParameters sampling) => this;

        public int Guess(ReadOnlySpan<int> raster, out double confidence)
        {
            confidence = 0.5;
            return 3;
        }

        public void Learn(ReadOnlySpan<int> raster, int from)
        {
        }
    }
}
