namespace IgptCluster.Training.Runs;

/// <summary>How a training is run; what it computes is in the plan.</summary>
internal sealed record RunSettings
{
    /// <summary>Folder to write.</summary>
    public required string Folder { get; init; }

    /// <summary>The plan.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>Goes on where the folder's training was left.</summary>
    public required bool Resume { get; init; }

    /// <summary>Steps between looks at held-out images.</summary>
    public required long EvaluateEvery { get; init; }

    /// <summary>Steps between saves.</summary>
    public required long SaveEvery { get; init; }

    /// <summary>Steps between pictures of samples; 0 for none.</summary>
    public required long SampleEvery { get; init; }
}
