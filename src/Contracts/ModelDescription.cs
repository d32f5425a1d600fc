namespace IgptCluster.Contracts;

/// <summary>A model as a replica loaded it. The same for every replica of a version.</summary>
[GenerateSerializer, Immutable, Alias("igpt.model")]
public sealed record ModelDescription
{
    /// <summary>Name to ask for it by.</summary>
    [Id(0)]
    public required string Name { get; init; }

    /// <summary>Changes with the weights and the folder's head files: 16 hexadecimal digits of a hash over names and bytes of all.</summary>
    [Id(1)]
    public required string Version { get; init; }

    /// <summary>The checkpoint's config.json.</summary>
    [Id(2)]
    public required string ConfigJson { get; init; }

    /// <summary>The checkpoint's preprocessor_config.json; empty if it has none: then only tokens can be sent.</summary>
    [Id(3)]
    public required string PreprocessorJson { get; init; }

    /// <summary>The model card (README.md); empty if there is none.</summary>
    [Id(4)]
    public string Card { get; init; } = "";

    /// <summary>Hidden state that <c>Embed</c> reads unless told otherwise.</summary>
    [Id(5)]
    public required int ProbeLayer { get; init; }

    /// <summary>Classifier heads: the checkpoint's own, then those put by clients in the order they came. The first is the default.</summary>
    [Id(6)]
    public HeadDescription[] Heads { get; init; } = [];

    /// <summary>Input ids: the colours plus the start token.</summary>
    [Id(7)]
    public required int VocabularySize { get; init; }

    /// <summary>Longest input in tokens, start token included.</summary>
    [Id(8)]
    public required int PositionCount { get; init; }

    /// <summary>Transformer blocks.</summary>
    [Id(9)]
    public required int LayerCount { get; init; }

    /// <summary>Width of a hidden state.</summary>
    [Id(10)]
    public required int EmbeddingSize { get; init; }

    /// <summary>Whether the model has a language-model head: without one it neither scores nor generates.</summary>
    [Id(11)]
    public required bool CanGenerate { get; init; }

    /// <summary>Changes with the heads that clients put and delete (<see cref="ReplicaStatus.HeadsVersion"/>).</summary>
    [Id(12)]
    public string HeadsVersion { get; init; } = "";
}
