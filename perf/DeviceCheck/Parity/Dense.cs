using IgptCluster.Model;
using IgptCluster.Model.Torch;
using static TorchSharp.torch;

namespace IgptCluster.DeviceCheck.Parity;

/// <summary>Dense forward passes: logits, hidden states and pooled features, with and without padding.</summary>
internal static class Dense
{
    /// <returns>1: the case was compared.</returns>
    internal static int Compare(ParityCase one, ImageGpt network, ParityTally tally)
    {
        using ImageGpt owned = network;
        Device device = network.Device;
        Tensor? mask = one.Input("attention_mask");
        ImageGptOutput output = network.Forward(new ImageGptInput
        {
            TokenIds = one.Input("input_ids")!.to(device),
            AttentionMask = mask?.to(device),
            PositionIds = one.Input("position_ids")?.to(device),
            WantsHiddenStates = true,
        });
        Tensor? valid = mask?.to_type(ScalarType.Bool).unsqueeze(-1);
        if (one.HasOutput("logits"))
        {
            Tensor logits = output.Logits!.cpu();
            if (one.HasOutput("logits_positions"))
                logits = logits.index_select(1, tensor(one.Integers("logits_positions")));

            // A classifier's mean runs over padding too, so its logits are compared whole.
            tally.Add($"{one.Name} logits", one.Output("logits"), logits, network.Architecture == ImageGptArchitecture.CausalImageModeling ? valid : null);
        }

        Tensor hidden = stack(output.HiddenStates); // [L + 1, B, T, E]
        if (one.HasOutput("hidden_states"))
            tally.Add($"{one.Name} hidden_states", one.Output("hidden_states"), hidden, valid);
        if (one.HasOutput("last_hidden_state"))
            tally.Add($"{one.Name} last_hidden_state", one.Output("last_hidden_state"), output.LastHiddenState, valid);
        if (one.HasOutput("features"))
            tally.Add($"{one.Name} features", one.Output("features"), hidden.mean([2]));
        return 1;
    }
}
