namespace IgptCluster.Contracts;

/// <summary>What an evaluation computes per image.</summary>
public enum EvaluationKind
{
    /// <summary>One logit per class of a head.</summary>
    Classify,

    /// <summary>The mean over positions of one hidden state.</summary>
    Embed,

    /// <summary>The natural log-probability of each token given those before it.</summary>
    Score,
}
