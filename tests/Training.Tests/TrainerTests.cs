using IgptCluster.Training.Data;
using IgptCluster.Training.Pretraining;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Tests;

public sealed class TrainerTests
{
    [Theory]
    [InlineData("f32", TrainingObjective.NextPixel)]
    [InlineData("bf16", TrainingObjective.NextPixel)]
    [InlineData("f32", TrainingObjective.Bert)]
    internal void Step_SamePlanTwice_GivesTheSameFirstFiftyLosses(string dtype, TrainingObjective objective)
    {
        TrainingPlan plan = Tiny.Plan() with { DType = dtype, Objective = objective };
        double[] losses = Losses(plan, 50);
        Assert.Equal(losses, Losses(plan, 50));
        Assert.NotEqual(losses, Losses(plan with { Seed = 4 }, 50));
    }

    [Fact]
    public void Restore_AfterAnInterruption_GivesTheLossesOfNoInterruption()
    {
        using var folder = new TemporaryFolder();
        TrainingPlan plan = Tiny.Plan(steps: 40);
        double[] whole = Losses(plan, 40);

        var state = new TrainingFolder(folder.Path);
        state.Begin(plan);
        double[] before = Losses(plan, 17, end: state.Save);
        state.RequireSame(plan);
        double[] after = Losses(plan, 23, begin: state.Restore);
        Assert.Equal(whole, before.Concat(after));
    }

    [Fact]
    public void Step_Trained_TellsStripesFarBetterThanChance()
    {
        double[] losses = Losses(Tiny.Plan(steps: 400), 400);
        double last = losses[^20..].Average();
        TestContext.Current.TestOutputHelper!.WriteLine($"loss {losses[0]:0.000} at first, {last:0.000} at last; chance {Math.Log(Tiny.Colours):0.000}");

        // Rows: 4 colours to guess and 12 that follow; columns the same. Known from the start which of both it is: ln 8 / 4.
        Assert.InRange(last, 0, 0.45 * Math.Log(Tiny.Colours));
    }

    [Fact]
    public void Step_Accumulated_EqualsOneLargeBatch()
    {
        // Without augmentation the images of a step are the same however they are cut into batches.
        TrainingPlan plan = Tiny.Plan() with { Flip = false, CropPadding = 0 };
        double[] small = Losses(plan with { BatchSize = 2, Accumulation = 4 }, 20);
        double[] large = Losses(plan with { BatchSize = 8, Accumulation = 1 }, 20);
        double difference = small.Zip(large, (left, right) => Math.Abs(left - right)).Max();
        TestContext.Current.TestOutputHelper!.WriteLine($"maximum difference {difference:e1}");
        Assert.InRange(difference, 0, 1e-4);
    }

    [Fact]
    public void RequireSame_OtherOptions_NamesThem()
    {
        using var folder = new TemporaryFolder();
        var state = new TrainingFolder(folder.Path);
        DataException nothing = Assert.Throws<DataException>(() => state.RequireSame(Tiny.Plan()));
        Assert.Contains("leave out --resume", nothing.Message, StringComparison.Ordinal);
        state.Begin(Tiny.Plan());
        Losses(Tiny.Plan(), 1, end: state.Save);
        DataException other = Assert.Throws<DataException>(() => state.RequireSame(Tiny.Plan() with { LearningRate = 0.5 }));
        Assert.Contains("LearningRate: 0.01, 0.5", other.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Lock_HeldByAnother_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var state = new TrainingFolder(folder.Path);
        using (state.Lock())
            Assert.Contains("another igpt-train", Assert.Throws<DataException>(() => state.Lock()).Message, StringComparison.Ordinal);
        state.Lock().Dispose();
    }

    [Fact]
    public void Restore_FewerStepsThanAreTaken_IsRefused()
    {
        using var folder = new TemporaryFolder();
        var state = new TrainingFolder(folder.Path);
        state.Begin(Tiny.Plan());
        Losses(Tiny.Plan(), 3, end: state.Save);
        state.RequireSame(Tiny.Plan(steps: 100));
        Losses(Tiny.Plan(steps: 100), 1, begin: state.Restore);
        DataException tooFew = Assert.Throws<DataException>(() => Losses(Tiny.Plan(steps: 2), 1, begin: state.Restore));
        Assert.Contains("3 steps are taken", tooFew.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(16)]
    [InlineData(1000)]
    public void Restore_StateCutShort_SaysSoAndNamesTheFile(int kept)
    {
        using var folder = new TemporaryFolder();
        var state = new TrainingFolder(folder.Path);
        state.Begin(Tiny.Plan());
        Losses(Tiny.Plan(), 1, end: state.Save);
        string file = folder[Path.Combine("training", "state.bin")];
        File.WriteAllBytes(file, File.ReadAllBytes(file)[..kept]);
        DataException damaged = Assert.Throws<DataException>(() => Losses(Tiny.Plan(), 1, begin: state.Restore));
        Assert.Contains("state.bin", damaged.Message, StringComparison.Ordinal);
    }

    static double[] Losses(TrainingPlan plan, int steps, Action<Trainer>? begin = null, Action<Trainer>? end = null)
    {
        using PretrainTask task = Tiny.Task(plan);
        using var trainer = new Trainer(task.Network, task.Parameters, plan, Tiny.Stripes(30), task.Loss);
        begin?.Invoke(trainer);
        double[] losses = [.. Enumerable.Range(0, steps).Select(_ => trainer.Step().Loss)];
        end?.Invoke(trainer);
        return losses;
    }
}
