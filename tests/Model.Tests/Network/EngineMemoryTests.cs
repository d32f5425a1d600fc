using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Sampling;
using IgptCluster.Model.Torch;
using Microsoft.Extensions.Logging.Abstractions;
using TorchSharp;

namespace IgptCluster.Model.Tests.Network;

/// <summary>Counts what the whole process holds, so nothing may run beside it.</summary>
[Collection(nameof(RunnerMemoryTests))]
public sealed class EngineMemoryTests
{
    const int Requests = 200;

    [Fact]
    public async Task Engine_TwoHundredRequests_LeaveTensorsWhereTheyWere()
    {
        // Collects first: other tests leave tensors to the finalizer.
        GC.Collect();
        GC.WaitForPendingFinalizers();
        long before = torch.Tensor.TotalCount;
        await using (var engine = new EngineLoop(
            new EngineOptions(),
            () => new TorchModelRunner(GoldenNetwork.LoadBundled("base-513"), new TorchRunnerOptions { Slots = 8 }),
            TimeProvider.System,
            NullLogger.Instance))
        {
            await engine.StartAsync();
            long loaded = torch.Tensor.TotalCount;
            await Task.WhenAll(Enumerable.Range(0, Requests).Select(number => RunAsync(engine, number)));
            Assert.Equal(loaded, torch.Tensor.TotalCount);
            Assert.Equal(0, engine.Status.SlotsUsed);
        }

        Assert.Equal(before, torch.Tensor.TotalCount);
    }

    /// <summary>Of five requests three generate, of which one is cancelled on the way, and two evaluate.</summary>
    static async Task RunAsync(EngineLoop engine, int number)
    {
        int[] tokens = RunnerFeeding.Tokens(number, 41, 513)[1..];
        if (number % 5 < 3)
        {
            var request = new GenerationRequest { Id = new SequenceId($"{number}"), Prompt = tokens, MaxNewTokens = 12, Sampling = new SamplingParameters { Seed = (ulong)number } };
            Assert.Equal(SubmitOutcome.Accepted, engine.TrySubmit(request, out Generation? stream));
            if (number % 5 == 0)
            {
                await stream!.Tokens.ReadAsync(TestContext.Current.CancellationToken);
                engine.Cancel(request.Id);
            }

            FinishReason reason = (await stream!.Completion).Reason;
            Assert.True(reason == FinishReason.Length || (reason == FinishReason.Cancelled && number % 5 == 0), $"request {number} ended by {reason}");
            return;
        }

        var evaluation = new EvaluationRequest { Id = new SequenceId($"{number}"), Tokens = tokens, PooledLayers = number % 5 == 3 ? [0, 2] : [], LogProbabilities = number % 5 == 4 };
        Assert.Equal(SubmitOutcome.Accepted, engine.TrySubmit(evaluation, out Task<EvaluationResult>? result));
        await result!;
    }
}
