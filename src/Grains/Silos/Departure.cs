namespace IgptCluster.Grains.Silos;

/// <summary>One time that a silo leaves, or may yet leave. Any thread.</summary>
internal sealed class Departure : IDisposable
{
    /// <summary>Cancelled once the silo is leaving.</summary>
    internal CancellationTokenSource Started { get; } = new();

    /// <summary>Cancelled once streams that clients have here are to go on elsewhere.</summary>
    internal CancellationTokenSource StreamsEnd { get; } = new();

    /// <summary>Cancelled when the silo is to stay after all.</summary>
    internal CancellationTokenSource Undone { get; } = new();

    /// <summary>Completes when the silo holds nothing any more; null: nobody has told it to leave.</summary>
    internal Task? Task { get; set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        Started.Dispose();
        StreamsEnd.Dispose();
        Undone.Dispose();
    }
}
