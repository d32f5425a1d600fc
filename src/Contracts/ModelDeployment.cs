namespace IgptCluster.Contracts;

/// <summary>How a model is to be served.</summary>
[GenerateSerializer, Immutable, Alias("igpt.model-deployment")]
public sealed record ModelDeployment
{
    /// <summary>Checkpoint folder as the silos see it; empty: what each silo's own settings say.</summary>
    [Id(0)]
    public string Source { get; init; } = "";

    /// <summary>Number of replicas; 0: one for each device of the silos that serve the model.</summary>
    [Id(1)]
    public int Replicas { get; init; }

    /// <summary>Data type of the weights; empty: the silos' default.</summary>
    [Id(2)]
    public string DType { get; init; } = "";

    /// <summary>Data type of the KV cache; empty: by that of the weights.</summary>
    [Id(3)]
    public string KvDType { get; init; } = "";

    /// <summary>Grows with each version that is loaded; replicas of an older one are replaced. 0: as the silos started.</summary>
    [Id(4)]
    public long Revision { get; init; }

    /// <summary>Whether it is served at all.</summary>
    [Id(5)]
    public bool IsServed { get; init; } = true;

    /// <summary>The <see cref="ModelDescription.Version"/> it must have; empty: any, the same for all replicas.</summary>
    [Id(6)]
    public string Version { get; init; } = "";

    /// <summary>Whether it has yet to show that all its replicas can be loaded; if one cannot, <see cref="Before"/> holds again.</summary>
    [Id(7)]
    public bool IsOnTrial { get; init; }

    /// <summary>How the model was served before a deployment on trial; null: as the silos' settings say.</summary>
    [Id(8)]
    public ModelDeployment? Before { get; init; }
}
