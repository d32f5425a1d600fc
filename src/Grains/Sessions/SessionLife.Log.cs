using IgptCluster.Contracts;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Sessions;

internal sealed partial class SessionLife
{
    [LoggerMessage(1201, LogLevel.Information, "Session {Session} finished: {End}, {Tokens} tokens made {Message}")]
    partial void LogFinished(SessionId session, SessionEnd end, int tokens, string message);

    [LoggerMessage(1204, LogLevel.Information, "Session {Session} restored from storage at position {Position}, {State}")]
    partial void LogRestored(SessionId session, int position, SessionState state);

    [LoggerMessage(1205, LogLevel.Error, "Session {Session} could not be stored and was not started")]
    partial void LogNotStored(Exception failure, SessionId session);

    [LoggerMessage(1212, LogLevel.Warning, "Session {Session} was not started, and what may be stored of it cannot be removed yet: {Reason}")]
    partial void LogNotRemoved(SessionId session, string reason);

    [LoggerMessage(1206, LogLevel.Warning, "Session {Session} was taken up by another activation")]
    partial void LogTaken(Exception taken, SessionId session);
}
