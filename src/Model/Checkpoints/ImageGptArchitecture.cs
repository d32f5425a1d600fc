namespace IgptCluster.Model;

/// <summary>Which of Hugging Face's three ImageGPT classes a checkpoint is.</summary>
public enum ImageGptArchitecture
{
    /// <summary><c>ImageGPTModel</c>: hidden states only.</summary>
    Model,

    /// <summary><c>ImageGPTForCausalImageModeling</c>: predicts the next colour.</summary>
    CausalImageModeling,

    /// <summary><c>ImageGPTForImageClassification</c>: classifies.</summary>
    ImageClassification,
}
