namespace IgptCluster.Contracts;

/// <summary>Why a session ended.</summary>
public enum SessionEnd
{
    /// <summary>The image is complete.</summary>
    Completed,

    /// <summary>The asked-for number of new tokens was reached before the image was complete.</summary>
    Length,

    /// <summary>Cancelled, or its last viewer left and it has no time to live.</summary>
    Cancelled,

    /// <summary>Its time to live ran out.</summary>
    Expired,

    /// <summary>The engine could not go on; the message says why.</summary>
    Failed,
}
