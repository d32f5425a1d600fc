using IgptCluster.Contracts;

namespace IgptCluster.Gateway.Generations;

/// <summary>A session on its way to a client.</summary>
/// <param name="Id">The session.</param>
/// <param name="Events">How to tell it.</param>
/// <param name="Rewinds">How often it had been rewound when it was told of.</param>
internal sealed record RelayedSession(SessionId Id, SessionEvents Events, int Rewinds = 0);
