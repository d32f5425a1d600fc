using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;

namespace IgptCluster.Grains.Heads;

/// <summary>The heads that a request asked for. The backbone runs once for all of them.</summary>
/// <param name="heads">The head, then the further ones; never changed.</param>
internal sealed class HeadSelection(IReadOnlyList<LinearHead> heads)
{
    /// <summary>The hidden states that they read, ascending.</summary>
    public int[] Layers { get; } = [.. heads.Select(head => head.Description.Layer).Distinct().Order()];

    /// <summary>Logits of all images per label of all heads.</summary>
    public long LabelCount => heads.Sum(head => (long)head.Description.Labels.Length);

    /// <summary>What each head says.</summary>
    /// <param name="images">For each image its pooled hidden states, as in <see cref="Layers"/>.</param>
    public EvaluationResult Score(IReadOnlyList<float[][]> images)
    {
        float[][][] pooled = [.. Enumerable.Range(0, Layers.Length).Select(layer => images.Select(image => image[layer]).ToArray())];
        HeadResult[] results = [.. heads.Select(head => new HeadResult(head.Description, head.Logits(pooled[Array.IndexOf(Layers, head.Description.Layer)])))];
        return new EvaluationResult(results[0].Rows, results[0].Head, results[1..]);
    }
}
