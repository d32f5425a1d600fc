using System.Text.Json;
using System.Text.Json.Serialization;
using TorchSharp;

namespace IgptCluster.Training.Runs;

/// <summary>All that decides what a training computes, besides data and start weights; kept beside its state, so that it resumes as it began.</summary>
internal sealed record TrainingPlan
{
    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true, Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower) } };

    /// <summary>What the network has to tell.</summary>
    public required TrainingObjective Objective { get; init; }

    /// <summary>Optimiser steps, at least 1.</summary>
    public required long Steps { get; init; }

    /// <summary>Images of one forward pass, at least 1.</summary>
    public required int BatchSize { get; init; }

    /// <summary>Forward passes whose gradients make one step, at least 1.</summary>
    public required int Accumulation { get; init; }

    /// <summary>Highest learning rate.</summary>
    public required double LearningRate { get; init; }

    /// <summary>Learning rate of embeddings and heads, as a share of the others'.</summary>
    public required double EmbeddingRate { get; init; }

    /// <summary>Steps of linear warm-up.</summary>
    public required long WarmupSteps { get; init; }

    /// <summary>Weight decay of matrices, per unit of learning rate.</summary>
    public required double WeightDecay { get; init; }

    /// <summary>Gradients of a larger norm are scaled down to it.</summary>
    public required double MaxGradientNorm { get; init; }

    /// <summary>Number type of the network's forward and backward pass: <c>f32</c> or <c>bf16</c>. Master weights and optimiser are float32.</summary>
    public required string DType { get; init; }

    /// <summary>Mirrors images half of the time.</summary>
    public required bool Flip { get; init; }

    /// <summary>Pixels of reflected padding that random crops move within; 0 for no crops.</summary>
    public required int CropPadding { get; init; }

    /// <summary>Fine-tuning: weight λ of the generative loss beside the classifier's.</summary>
    public double GenerativeWeight { get; init; }

    /// <summary>Seed of order, augmentation and masks.</summary>
    public required int Seed { get; init; }

    /// <summary>Images of one step.</summary>
    [JsonIgnore]
    public int ImagesPerStep => BatchSize * Accumulation;

    /// <summary><see cref="DType"/> as libtorch names it.</summary>
    [JsonIgnore]
    public torch.ScalarType ScalarType => DType == "bf16" ? torch.ScalarType.BFloat16 : torch.ScalarType.Float32;

    /// <summary>As JSON.</summary>
    internal string ToJson() => JsonSerializer.Serialize(this, Json);

    /// <summary>Reads what <see cref="ToJson"/> wrote.</summary>
    internal static TrainingPlan FromJson(string json) => JsonSerializer.Deserialize<TrainingPlan>(json, Json)!;

    /// <summary>Each value in which two plans differ, as <c>name: this, that</c>.</summary>
    internal IEnumerable<string> DifferencesTo(TrainingPlan other) =>
        typeof(TrainingPlan).GetProperties()
            .Where(property => !Equals(property.GetValue(this), property.GetValue(other)))
            .Select(property => FormattableString.Invariant($"{property.Name}: {property.GetValue(this)}, {property.GetValue(other)}"));
}

/// <summary>What a training's loss is.</summary>
internal enum TrainingObjective
{
    /// <summary>Each pixel from those before it.</summary>
    NextPixel,

    /// <summary>Hidden pixels from all others.</summary>
    Bert,

    /// <summary>The image's class, and each pixel from those before it.</summary>
    Classify,
}
