using IgptCluster.Model;
using IgptCluster.Training.Runs;

namespace IgptCluster.Training.Pretraining;

/// <summary>What a training was asked for, beside the data.</summary>
internal sealed record PretrainSettings
{
    /// <summary>Folder to write.</summary>
    public required string Folder { get; init; }

    /// <summary>The plan.</summary>
    public required TrainingPlan Plan { get; init; }

    /// <summary>Goes on where the folder's training was left.</summary>
    public bool Resume { get; init; }

    /// <summary>Steps between looks at held-out images.</summary>
    public required long EvaluateEvery { get; init; }

    /// <summary>Steps between saves.</summary>
    public required long SaveEvery { get; init; }

    /// <summary>Steps between contact sheets of samples; 0 for none.</summary>
    public required long SampleEvery { get; init; }

    /// <summary>preprocessor_config.json of the checkpoint.</summary>
    public required string ProcessorJson { get; init; }

    /// <summary>What to write beside the weights.</summary>
    internal CheckpointContent Content(ImageGptConfig config) => new()
    {
        Config = config,
        Architecture = ImageGptArchitecture.CausalImageModeling,
        PreprocessorJson = ProcessorJson,
    };
}
