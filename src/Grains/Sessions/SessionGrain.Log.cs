using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Sessions;

internal sealed partial class SessionGrain
{
    [LoggerMessage(1201, LogLevel.Information, "Session {Session} finished: {End}, {Tokens} tokens made {Message}")]
    partial void LogFinished(SessionId session, SessionEnd end, int tokens, string message);

    [LoggerMessage(1204, LogLevel.Information, "Session {Session} restored from storage at position {Position}, {Phase}")]
    partial void LogRestored(SessionId session, int position, SessionPhase phase);

    [LoggerMessage(1205, LogLevel.Error, "Session {Session} could not be stored and was not started")]
    partial void LogNotStored(Exception failure, SessionId session);

    [LoggerMessage(1206, LogLevel.Warning, "Session {Session} was taken up by another activation")]
    partial void LogTaken(SessionId session);

    [LoggerMessage(1208, LogLevel.Information, "Session {Session} rewound to position {Position}")]
    partial void LogRewound(SessionId session, int position);

    [LoggerMessage(1209, LogLevel.Information, "Session {Session} deleted")]
    partial void LogDeleted(SessionId session);

    [LoggerMessage(1213, LogLevel.Debug, "Session {Session} is withdrawn: its start has failed for its caller")]
    partial void LogWithdrawn(SessionId session);
}
