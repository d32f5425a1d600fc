using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;

namespace IgptCluster.Grains.Sessions.Viewing;

/// <summary>What a session's viewers read: its tokens as far as they are stored, as they come, and how it ended. One grain's turns only.</summary>
/// <param name="id">The session.</param>
/// <param name="session">The session as it is now; throws if there is none any more.</param>
internal sealed class SessionViewing(SessionId id, Func<SessionState> session)
{
    readonly Signal _news = new();

    /// <summary>Wakes all who wait for more.</summary>
    internal void Wake() => _news.Give();

    /// <summary>Reads until the session has ended.</summary>
    /// <param name="position">Raster position of the first token wanted.</param>
    /// <param name="rewinds">How often the session had been rewound when the viewer came.</param>
    /// <param name="cancellationToken">The viewer leaves.</param>
    /// <exception cref="IgptException">SessionRewound, NoReplica, SessionNotFound.</exception>
    internal async IAsyncEnumerable<SessionUpdate> ReadAsync(int position, int rewinds, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        while (true)
        {
            Task news = _news.Next;
            SessionState now = session();
            now.RequireGoingOn(id, rewinds);
            if (now.Tokens.From(position) is { Length: > 0 } tokens)
            {
                yield return new SessionUpdate(position, tokens, null);
                position += tokens.Length;
            }
            else if (now.StoredResult is { } result)
            {
                yield return new SessionUpdate(position, [], result);
                yield break;
            }
            else
            {
                await news.WaitAsync(cancellationToken);
            }
        }
    }
}
