namespace IgptCluster.Engine.Requests;

/// <summary>Why a sequence ended.</summary>
public enum FinishReason
{
    /// <summary>All tokens asked for were made.</summary>
    Length,

    /// <summary>It was cancelled.</summary>
    Cancelled,

    /// <summary>The model gave values that cannot be used for this sequence; others are not affected.</summary>
    Failed,
}
