using IgptCluster.Engine.Runner;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Torch;
using TorchSharp;
using static IgptCluster.Model.Tests.Network.RunnerFeeding;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

/// <summary>What a classifier's head makes of the sums that the engine's runners give is what Hugging Face's classifier gives, logits and loss.</summary>
public sealed class ClassifierHeadTests
{
    public static TheoryData<string, string> Classifiers
    {
        get
        {
            var classifiers = new TheoryData<string, string>();
            foreach (TheoryDataRow<string, string> row in GoldenNetwork.Cases("forward"))
            {
                var golden = new GoldenCase(row.Data.Item1, row.Data.Item2);

                // The mean of masked rows is Hugging Face's own; runners have no masks.
                if (golden.HasOutput("logits") && golden.Shape("logits").Length == 2 && !golden.HasInput("attention_mask"))
                    classifiers.Add(row.Data.Item1, row.Data.Item2);
            }

            return classifiers;
        }
    }

    [Theory]
    [MemberData(nameof(Classifiers))]
    public void Execute_GoldenClassifier_GivesItsLogitsAndLoss(string model, string name)
    {
        using DisposeScope scope = NewDisposeScope();
        var golden = new GoldenCase(model, name);
        using ImageGpt network = GoldenNetwork.Load(model);
        foreach (IModelRunner runner in GoldenNetwork.Runners(model, slots: 1))
        {
            using (runner)
                Compare(golden, network, runner);
        }
    }

    [Fact]
    public void Execute_ClassifierOfOneOutput_GivesItsLogitAndMeanSquaredError()
    {
        using DisposeScope scope = NewDisposeScope();
        using var regression = new RegressionCase("full_b3", "3");
        using ImageGpt network = RegressionCase.Network();
        foreach (IModelRunner runner in GoldenNetwork.BundledRunners("classifier-65", slots: 1))
        {
            using (runner)
                Compare(regression.Case, network, runner);
        }
    }

    static void Compare(GoldenCase golden, ImageGpt network, IModelRunner runner)
    {
        Tensor ids = golden.Ids("input_ids")!;
        (int rows, int length) = ((int)ids.shape[0], (int)ids.shape[1]);
        int[] tokens = [.. ids.data<long>().ToArray().Select(id => (int)id)];
        Tensor score = network.Parameters.Single(parameter => parameter.Name == WeightLayout.ClassifierHead).Value;
        double[] sums = [.. Enumerable.Range(0, rows).SelectMany(row =>
            runner.Run(Chunk(0, 0, tokens[(row * length)..((row + 1) * length)]) with { LogitRows = 0, PooledLayers = [network.Config.LayerCount] })[0].PooledSums.ToArray())];
        Tensor pooled = (tensor(sums).reshape(rows, -1) / length).to_type(ScalarType.Float32);
        Tensor logits = pooled.matmul(score.t());
        golden.AssertClose("logits", logits);
        if (golden.Labels() is { } labels)
            golden.AssertClose("loss", Loss(golden.ProblemType, logits, labels).reshape(golden.Shape("loss")));
    }

    // As Hugging Face chooses it.
    static Tensor Loss(string? problem, Tensor logits, Tensor labels) => (problem ?? (logits.shape[1] == 1 ? "regression" : labels.is_integral() ? "single_label_classification" : "")) switch
    {
        "regression" => nn.functional.mse_loss(logits.reshape(labels.shape), labels.to_type(ScalarType.Float32)),
        "single_label_classification" => nn.functional.cross_entropy(logits, labels),
        _ => nn.functional.binary_cross_entropy_with_logits(logits, labels),
    };
}
