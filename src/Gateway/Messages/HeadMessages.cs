using IgptCluster.Contracts;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Messages;

/// <summary>Classifier heads as the protocol spells them.</summary>
internal static class HeadMessages
{
    /// <summary>The head a client puts, checked: what breaks a rule is refused here and never travels on.</summary>
    /// <param name="request">What the client sent.</param>
    /// <param name="model">The model it is for.</param>
    /// <exception cref="IgptException">InvalidArgument, with every broken rule.</exception>
    public static HeadSpec ToSpec(this PutHeadRequest request, ModelDescription model)
    {
        var head = new HeadSpec
        {
            Name = request.Head,
            Layer = (int)Math.Min(request.Layer, int.MaxValue),
            Labels = [.. request.Labels],
            Weight = [.. request.Weight],
            Bias = [.. request.Bias],
        };
        return HeadRules.Violations(head, model.LayerCount, model.EmbeddingSize) is { Count: > 0 } broken ? throw new IgptException(broken) : head;
    }

    /// <summary>A head.</summary>
    /// <param name="head">As the model describes it.</param>
    public static Head ToMessage(this HeadDescription head) => new()
    {
        Name = head.Name,
        Layer = (uint)head.Layer,
        Labels = { head.Labels },
        ReadOnly = head.IsReadOnly,
    };
}
