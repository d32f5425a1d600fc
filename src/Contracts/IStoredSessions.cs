namespace IgptCluster.Contracts;

/// <summary>Names the sessions that are stored. Hosting implements it for the store in use.</summary>
public interface IStoredSessions
{
    /// <summary>All of them, in no order.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    IAsyncEnumerable<SessionId> ListAsync(CancellationToken cancellationToken);
}
