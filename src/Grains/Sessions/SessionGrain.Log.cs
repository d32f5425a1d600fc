using IgptCluster.Contracts;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Sessions;

internal sealed partial class SessionGrain
{
    [LoggerMessage(1207, LogLevel.Debug, "Session {Session} cannot be forked on replica {Replica}")]
    partial void LogNotBeside(Exception refused, SessionId session, ReplicaId replica);

    [LoggerMessage(1208, LogLevel.Information, "Session {Session} rewound to position {Position}")]
    partial void LogRewound(SessionId session, int position);

    [LoggerMessage(1213, LogLevel.Debug, "Session {Session} is withdrawn: its start has failed for its caller")]
    partial void LogWithdrawn(SessionId session);

    [LoggerMessage(1209, LogLevel.Information, "Session {Session} deleted")]
    partial void LogDeleted(SessionId session);
}
