using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

public sealed class ForwardParityTests
{
    public static TheoryData<string, string> Forwards => GoldenNetwork.Cases("forward");

    [Theory]
    [MemberData(nameof(Forwards))]
    public void Forward_GoldenCase_EqualsHuggingFace(string model, string name)
    {
        using DisposeScope scope = NewDisposeScope();
        var golden = new GoldenCase(model, name);
        using ImageGpt network = GoldenNetwork.Load(model, change: config => config with { ProblemType = golden.ProblemType });
        ComputeAndCompare(golden, network);
    }

    [Theory]
    [InlineData("3")]
    [InlineData("3, 1")]
    public void Forward_ClassifierOfOneOutput_GivesHuggingFacesLogitsAndMeanSquaredError(string labelShape)
    {
        using DisposeScope scope = NewDisposeScope();
        using var regression = new RegressionCase("full_b3", labelShape);
        using ImageGpt network = RegressionCase.Network();
        ComputeAndCompare(regression.Case, network);
    }

    static void ComputeAndCompare(GoldenCase golden, ImageGpt network)
    {
        using IDisposable noGradient = no_grad();
        Tensor? mask = golden.Ids("attention_mask");
        ImageGptOutput output = network.Forward(new ImageGptInput
        {
            TokenIds = golden.Ids("input_ids"),
            AttentionMask = mask,
            PositionIds = golden.Ids("position_ids"),
            Labels = golden.Labels(),
            WantsHiddenStates = true,
            WantsAttentions = golden.HasOutput("attentions"),
        });

        Compare(golden, output, network, mask);
    }

    [Theory]
    [MemberData(nameof(Forwards))]
    public void Forward_GoldenCaseWithAttentions_EqualsHuggingFace(string model, string name)
    {
        // Wanting attentions takes the other way through attention: both must agree with the reference.
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        var golden = new GoldenCase(model, name);
        using ImageGpt network = GoldenNetwork.Load(model);
        Tensor? mask = golden.Ids("attention_mask");
        ImageGptOutput output = network.Forward(new ImageGptInput
        {
            TokenIds = golden.Ids("input_ids"),
            AttentionMask = mask,
            PositionIds = golden.Ids("position_ids"),
            WantsHiddenStates = true,
            WantsAttentions = true,
        });

        Assert.Equal(network.Config.LayerCount, output.Attentions.Count);
        Compare(golden, output, network, mask);
    }

    static void Compare(GoldenCase golden, ImageGptOutput output, ImageGpt network, Tensor? mask)
    {
        Tensor? valid = mask?.to(ScalarType.Bool);
        Tensor hidden = stack(output.HiddenStates); // [L + 1, B, T, E]
        if (golden.HasOutput("logits"))
        {
            bool isCausal = network.Architecture == ImageGptArchitecture.CausalImageModeling;
            Tensor logits = output.Logits!;
            if (golden.HasOutput("logits_positions"))
                logits = logits.index_select(1, tensor(golden.Integers("outputs", "logits_positions")));

            // A classifier's mean runs over padding too, so its logits are compared whole.
            golden.AssertClose("logits", logits, isCausal ? valid?.unsqueeze(-1) : null);
        }

        if (golden.HasOutput("hidden_states"))
            golden.AssertClose("hidden_states", hidden, valid?.unsqueeze(-1));
        if (golden.HasOutput("last_hidden_state"))
            golden.AssertClose("last_hidden_state", output.LastHiddenState, valid?.unsqueeze(-1));
        if (golden.HasOutput("features"))
            golden.AssertClose("features", hidden.mean([2]));
        if (golden.HasOutput("attentions") && output.Attentions.Count > 0)
            golden.AssertClose("attentions", stack(output.Attentions));
        if (golden.HasOutput("loss") && output.Loss is { } loss)
            golden.AssertClose("loss", loss.reshape(golden.Shape("loss")));
    }
}
