namespace IgptCluster.Model;

/// <summary>Which of Hugging Face's ImageGPT classes a network is.</summary>
public enum ImageGptArchitecture
{
    /// <summary><c>ImageGPTModel</c>: hidden states, no head.</summary>
    Model,

    /// <summary><c>ImageGPTForCausalImageModeling</c>: logits of the next colour at every position.</summary>
    CausalImageModeling,

    /// <summary><c>ImageGPTForImageClassification</c>: one row of class logits per image.</summary>
    ImageClassification,
}
