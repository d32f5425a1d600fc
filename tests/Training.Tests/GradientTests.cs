using IgptCluster.Model.Torch;
using IgptCluster.Training.Finetuning;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Tests;

public sealed class GradientTests
{
    const double Distance = 2e-3;

    [Theory]
    [InlineData(TrainingObjective.NextPixel)]
    [InlineData(TrainingObjective.Bert)]
    [InlineData(TrainingObjective.Classify)]
    internal void Backward_EveryKindOfWeight_AgreesWithFiniteDifferences(TrainingObjective objective)
    {
        using DisposeScope scope = NewDisposeScope();
        using ITrainingTask task = Task(objective);
        var batch = new Batch(Tiny.Stripes(6).Tokens(0, 6), tensor(new long[] { 0, 1, 0, 1, 0, 1 }), Seed: 5);
        foreach ((string _, Tensor value) in task.Parameters)
            value.requires_grad_(true);
        task.Loss(batch).backward();

        double worst = 0;
        foreach ((string name, Tensor value) in task.Parameters)
        {
            // Where the gradient is largest it tells most.
            long at = value.grad!.abs().flatten().argmax().item<long>();
            double given = value.grad!.flatten()[at].item<float>();
            double measured = (LossAt(task, batch, value, at, Distance) - LossAt(task, batch, value, at, -Distance)) / (2 * Distance);
            double error = Math.Abs(given - measured) / Math.Max(Math.Abs(measured), 1e-3);
            worst = Math.Max(worst, error);
            Assert.True(error < 0.05, $"{name}[{at}]: gradient {given:e4}, finite difference {measured:e4}");
        }

        TestContext.Current.TestOutputHelper!.WriteLine($"{task.Parameters.Count} weights, largest relative error {worst:0.0000}");
    }

    [Fact]
    public void Loss_PretrainingNextPixel_IsWhatScoringServes()
    {
        // The same network code: the runner that serves gives each pixel's log-probability, training their mean.
        using ImageGpt network = Tiny.Network();
        using DisposeScope scope = NewDisposeScope();
        Tensor tokens = Tiny.Stripes(1).Tokens(0, 1);
        double loss = PixelObjective.NextPixel(network, tokens, isTraining: false).item<float>();
        using var runner = new TorchModelRunner(Tiny.Network(), new TorchRunnerOptions { Slots = 1 });
        int[] ids = Array.ConvertAll(tokens.flatten().data<long>().ToArray(), id => (int)id);
        var chunk = new Engine.Runner.SequenceChunk { Slot = 0, Start = 0, Tokens = new int[] { Tiny.Colours }.Concat(ids[..^1]).ToArray(), LogitRows = ids.Length, Targets = ids };
        double served = -runner.Execute(new Engine.Runner.StepPlan([], [chunk]))[0].LogProbabilities.ToArray().Average();
        Assert.Equal(served, loss, 1e-5);
    }

    static ITrainingTask Task(TrainingObjective objective)
    {
        TrainingPlan plan = Tiny.Plan() with { Objective = objective, GenerativeWeight = 0.5 };
        if (objective != TrainingObjective.Classify)
            return Tiny.Task(plan);
        using Tensor score = randn([2, Tiny.Config.EmbeddingSize], generator: new Generator(1));
        return new FinetuneTask(Tiny.Network(), score, ["rows", "columns"], plan, Tiny.ProcessorJson, null);
    }

    static double LossAt(ITrainingTask task, Batch batch, Tensor value, long at, double distance)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        Tensor flat = value.view(-1);
        float before = flat[at].item<float>();
        flat[at] = (float)(before + distance);
        double loss = task.Loss(batch).item<float>();
        flat[at] = before;
        return loss;
    }
}
