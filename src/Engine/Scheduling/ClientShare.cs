namespace IgptCluster.Engine.Scheduling;

/// <summary>What one client has been served.</summary>
/// <param name="client">The client.</param>
sealed class ClientShare(string client)
{
    internal string Client { get; } = client;

    /// <summary>Tokens computed for it, counted from where the least served of its fellows stood when it came.</summary>
    internal long Served { get; set; }

    /// <summary>Its sequences in flight.</summary>
    internal int Sequences { get; set; }
}
