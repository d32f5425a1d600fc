namespace IgptCluster.Contracts;

/// <summary>A linear classifier on the mean-pooled hidden state of one layer.</summary>
/// <param name="Name">Name to ask for it by.</param>
/// <param name="Layer">Hidden state it reads: 0 = embeddings, n_layer = after the final norm.</param>
/// <param name="Labels">One label per class, in logit order.</param>
/// <param name="IsReadOnly">Whether it belongs to the checkpoint: clients can neither replace nor delete it.</param>
[GenerateSerializer, Immutable, Alias("igpt.head")]
public sealed record HeadDescription(
    [property: Id(0)] string Name,
    [property: Id(1)] int Layer,
    [property: Id(2)] string[] Labels,
    [property: Id(3)] bool IsReadOnly = false);
