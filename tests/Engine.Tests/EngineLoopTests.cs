using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace IgptCluster.Engine.Tests;

public sealed class EngineLoopTests
{
    static readonly ModelShape Shape = FakeModelRunner.SmallShape;

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task TrySubmit_ManyGenerationsAtOnce_EachGetsItsOwnTokens()
    {
        var runner = new FakeModelRunner(Shape, slots: 4);
        await using EngineLoop engine = await StartAsync(runner);
        var generations = Enumerable.Range(0, 20).Select(i => (Prompt: new[] { i % 16, 3 }, Generation: Submit(engine, $"{i}", [i % 16, 3], 20))).ToArray();
        foreach ((int[] prompt, Generation generation) in generations)
        {
            Assert.Equal(FakeModelRunner.GreedyAfter(Shape, prompt, 20), await ReadAsync(generation));
            GenerationResult result = await generation.Completion;
            Assert.Equal(FinishReason.Length, result.Reason);
            Assert.Equal(result.FirstToken, result.Queue + result.Prefill);
        }
    }

    [Fact]
    public async Task TrySubmit_SlotsAndQueueFull_SaysSoAndTakesTheNextOnceOneEnds()
    {
        using var gate = new SemaphoreSlim(0);
        var runner = new FakeModelRunner(Shape, slots: 1) { BeforeStep = _ => gate.Wait(Cancelled) };
        await using EngineLoop engine = await StartAsync(runner, new EngineOptions { MaxWaiting = 1 });
        Generation first = Submit(engine, "a", [1], 1);
        Submit(engine, "b", [1], 1);
        Assert.Equal(SubmitOutcome.QueueFull, engine.TrySubmit(Request("c", [1], 1), out Generation? refused));
        Assert.Null(refused);
        gate.Release();
        await first.Completion.WaitAsync(Cancelled);
        Submit(engine, "c", [1], 1);
        gate.Release(10);
    }

    [Fact]
    public async Task Cancel_Running_EndsItBetweenStepsAndFreesItsSlot()
    {
        using var gate = new SemaphoreSlim(0);
        using var entered = new SemaphoreSlim(0);
        var runner = new FakeModelRunner(Shape, slots: 1)
        {
            BeforeStep = _ =>
            {
                entered.Release();
                gate.Wait(Cancelled);
            },
        };
        await using EngineLoop engine = await StartAsync(runner);
        Generation doomed = Submit(engine, "a", [1], 30);
        Generation next = Submit(engine, "b", [2], 1);
        await entered.WaitAsync(Cancelled);
        engine.Cancel(doomed.Id);
        gate.Release(2);
        Assert.Equal(FinishReason.Cancelled, (await doomed.Completion.WaitAsync(Cancelled)).Reason);
        Assert.Empty(await ReadAsync(doomed));
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, [2], 1), await ReadAsync(next));
        Assert.Equal(2, runner.Plans.Length);
    }

    [Fact]
    public async Task Cancel_Unknown_ChangesNothing()
    {
        await using EngineLoop engine = await StartAsync(new FakeModelRunner(Shape, slots: 1));
        engine.Cancel(new SequenceId("nobody"));
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, [2], 3), await ReadAsync(Submit(engine, "b", [2], 3)));
    }

    [Fact]
    public async Task StartAsync_RunnerCannotBeMade_FaultsWithTheReason()
    {
        await using var engine = new EngineLoop(new EngineOptions(), () => throw new InvalidOperationException("no weights"), TimeProvider.System, NullLogger.Instance);
        InvalidOperationException failure = await Assert.ThrowsAsync<InvalidOperationException>(engine.StartAsync);
        Assert.Equal("no weights", failure.Message);
        Assert.Equal("no weights", engine.Status.Fault);
        Assert.Equal(SubmitOutcome.Stopped, engine.TrySubmit(Request("a", [1], 1), out Generation? _));
    }

    [Fact]
    public async Task Step_RunnerThrows_FaultsTheEngineAndEverythingInFlight()
    {
        var runner = new FakeModelRunner(Shape, slots: 1) { BeforeStep = _ => throw new InvalidOperationException("device lost") };
        await using EngineLoop engine = await StartAsync(runner);
        Generation running = Submit(engine, "a", [1], 3);
        EngineStoppedException failure = await Assert.ThrowsAsync<EngineStoppedException>(() => running.Completion.WaitAsync(Cancelled));
        Assert.Contains("device lost", failure.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<EngineStoppedException>(() => ReadAsync(running));
        Assert.Equal(SubmitOutcome.Stopped, engine.TrySubmit(Request("b", [1], 1), out Generation? _));
        Assert.Contains("device lost", engine.Status.Fault, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Step_Hangs_FaultsTheEngineAndEndsWhatWaits()
    {
        using var gate = new SemaphoreSlim(0);
        using var entered = new SemaphoreSlim(0);
        var time = new FakeTimeProvider();
        var runner = new FakeModelRunner(Shape, slots: 1)
        {
            BeforeStep = _ =>
            {
                entered.Release();
                gate.Wait(Cancelled);
            },
        };
        var engine = new EngineLoop(new EngineOptions { StepTimeout = TimeSpan.FromSeconds(60) }, () => runner, time, NullLogger.Instance);
        await engine.StartAsync();
        Generation running = Submit(engine, "a", [1], 3);
        Generation waiting = Submit(engine, "b", [2], 3);
        await entered.WaitAsync(Cancelled);
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal("", engine.Status.Fault);
        time.Advance(TimeSpan.FromSeconds(10));
        Assert.Contains("longer than 60 s", (await Assert.ThrowsAsync<EngineStoppedException>(() => running.Completion.WaitAsync(Cancelled))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<EngineStoppedException>(() => ReadAsync(waiting));
        Assert.Contains("longer than 60 s", engine.Status.Fault, StringComparison.Ordinal);
        Assert.Equal((0, 0, 0L), (engine.Status.Running, engine.Status.Waiting, engine.Status.TokensInFlight));
        Assert.Equal(SubmitOutcome.Stopped, engine.TrySubmit(Request("c", [1], 1), out Generation? _));

        // Nobody waits for the thread; when it comes back it frees the device and touches nothing else.
        await engine.DisposeAsync();
        Assert.False(runner.IsDisposed);
        gate.Release();
        Assert.True(SpinWait.SpinUntil(() => runner.IsDisposed, TimeSpan.FromSeconds(60)), "the thread that came back has not disposed its runner");
        Assert.Single(runner.Plans);
    }

    [Fact]
    public async Task Step_ManyThatTakeTheirTime_AreNoFault()
    {
        var time = new FakeTimeProvider();
        var runner = new FakeModelRunner(Shape, slots: 1) { BeforeStep = _ => time.Advance(TimeSpan.FromSeconds(50)) };
        await using var engine = new EngineLoop(new EngineOptions { StepTimeout = TimeSpan.FromSeconds(60) }, () => runner, time, NullLogger.Instance);
        await engine.StartAsync();
        Assert.Equal(FakeModelRunner.GreedyAfter(Shape, [1], 20), await ReadAsync(Submit(engine, "a", [1], 20)));
        Assert.Equal("", engine.Status.Fault);
    }

    [Fact]
    public async Task DrainAsync_WorkInFlight_FinishesItAndTakesNoMore()
    {
        using var gate = new SemaphoreSlim(0);
        var runner = new FakeModelRunner(Shape, slots: 1) { BeforeStep = _ => gate.Wait(Cancelled) };
        await using EngineLoop engine = await StartAsync(runner);
        Generation running = Submit(engine, "a", [1], 3);
        Task drained = engine.DrainAsync();
        Assert.Equal(SubmitOutcome.Draining, engine.TrySubmit(Request("b", [1], 1), out Generation? _));
        Assert.False(drained.IsCompleted);
        gate.Release(10);
        await drained.WaitAsync(Cancelled);
        Assert.Equal(FinishReason.Length, (await running.Completion).Reason);
        Assert.True(engine.Status.Draining);
    }

    [Fact]
    public async Task DisposeAsync_WorkInFlight_EndsItAndDisposesTheRunner()
    {
        using var gate = new SemaphoreSlim(0);
        var runner = new FakeModelRunner(Shape, slots: 1) { BeforeStep = _ => gate.Wait(Cancelled) };
        EngineLoop engine = await StartAsync(runner);
        Generation running = Submit(engine, "a", [1], 30);
        Generation waiting = Submit(engine, "b", [1], 30);
        ValueTask disposed = engine.DisposeAsync();
        gate.Release();
        await disposed;
        await Assert.ThrowsAsync<EngineStoppedException>(() => running.Completion);
        await Assert.ThrowsAsync<EngineStoppedException>(() => waiting.Completion);
        Assert.True(runner.IsDisposed);
        Assert.Equal(SubmitOutcome.Stopped, engine.TrySubmit(Request("c", [1], 1), out Generation? _));
    }

    [Fact]
    public async Task DisposeAsync_Idle_IsNoFault()
    {
        // The engine's thread may be anywhere between two looks at its queue.
        for (int i = 0; i < 200; i++)
        {
            EngineLoop engine = await StartAsync(new FakeModelRunner(Shape, slots: 1));
            await engine.DisposeAsync();
            Assert.Equal("", engine.Status.Fault);
        }
    }

    [Fact]
    public async Task TrySubmit_RequestThatBreaksARule_NamesRuleAndValue()
    {
        await using EngineLoop engine = await StartAsync(new FakeModelRunner(Shape, slots: 1));
        Refused(Request("a", [16], 1), "given 16 at position 0");
        Refused(Request("a", [-1], 1), "given -1 at position 0");
        Refused(Request("a", [1], 0), "at least 1; given 0");
        Refused(Request("a", [1], 64), "at most 64 (n_positions); given 1 + 64");
        Refused(Request("a", [1], 1) with { Sampling = new SamplingParameters { Temperature = double.NaN } }, "given NaN");
        Refused(Request("a", [1], 1) with { Sampling = new SamplingParameters { TopP = 0 } }, "given 0");
        Refused(Request("a", [1], 1) with { Sampling = new SamplingParameters { TopK = -2 } }, "given -2");
        Refused(Request("a", [1], 4) with { Forced = new Dictionary<int, int> { [2] = 16 } }, "given 16 at position 2");
        var evaluation = new EvaluationRequest { Id = new("e"), Tokens = new[] { 1 }, PooledLayers = [3] };
        EngineRequestException refused = Assert.Throws<EngineRequestException>(() => engine.TrySubmit(evaluation, out Task<EvaluationResult>? _));
        Assert.Contains("0 … 2; given 3", refused.Message, StringComparison.Ordinal);

        void Refused(GenerationRequest request, string words) =>
            Assert.Contains(words, Assert.Throws<EngineRequestException>(() => engine.TrySubmit(request, out Generation? _)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task TrySubmit_ModelWithoutLanguageHead_IsUnsupported()
    {
        await using EngineLoop engine = await StartAsync(new FakeModelRunner(Shape with { LogitCount = 0 }, slots: 1));
        Assert.True(Assert.Throws<EngineRequestException>(() => engine.TrySubmit(Request("a", [1], 1), out Generation? _)).Unsupported);
        Assert.Equal(SubmitOutcome.Accepted, engine.TrySubmit(
            new EvaluationRequest { Id = new("e"), Tokens = new[] { 1, 2 }, PooledLayers = [1] }, out Task<EvaluationResult>? pooled));
        Assert.Equal(4, (await pooled!).Pooled[0].Length);
    }

    static async Task<EngineLoop> StartAsync(FakeModelRunner runner, EngineOptions? options = null)
    {
        var engine = new EngineLoop(options ?? new EngineOptions(), () => runner, TimeProvider.System, NullLogger.Instance);
        Assert.Equal(runner.Shape, await engine.StartAsync());
        return engine;
    }

    static GenerationRequest Request(string id, int[] prompt, int made) => new()
    {
        Id = new SequenceId(id),
        Prompt = prompt,
        MaxNewTokens = made,
        Sampling = new SamplingParameters { Temperature = 0 },
    };

    static Generation Submit(EngineLoop engine, string id, int[] prompt, int made)
    {
        Assert.Equal(SubmitOutcome.Accepted, engine.TrySubmit(Request(id, prompt, made), out Generation? generation));
        return generation!;
    }

    static async Task<int[]> ReadAsync(Generation generation) =>
        [.. await generation.Tokens.ReadAllAsync(Cancelled).Select(token => token.Token).ToArrayAsync(Cancelled)];
}
