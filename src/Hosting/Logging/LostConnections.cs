using System.Net.Sockets;
using StackExchange.Redis;

namespace IgptCluster.Hosting.Logging;

/// <summary>Failures that tell that another process, or the way to it, is gone: in a cluster they are expected, and where they were noticed says nothing.</summary>
internal static class LostConnections
{
    const int MaxLength = 500;

    /// <summary>Whether a failure is one, or has one as its cause.</summary>
    /// <param name="failure">The failure.</param>
    internal static bool IsLostConnection(this Exception failure) =>
        failure is SocketException or SiloUnavailableException or ClientNotAvailableException or OrleansMessageRejectionException or EnumerationAbortedException or RedisConnectionException or RedisTimeoutException
            or Microsoft.AspNetCore.Connections.ConnectionResetException or Microsoft.AspNetCore.Connections.ConnectionAbortedException or TimeoutException
        || failure.GetType().FullName is "Orleans.Runtime.Messaging.ConnectionFailedException" or "Orleans.Networking.Shared.SocketConnectionException" // internal to Orleans
        || (failure is AggregateException many ? many.InnerExceptions.Any(IsLostConnection) : failure.InnerException is { } cause && cause.IsLostConnection());

    /// <summary>A text's first line: Orleans puts the stack of what another silo threw into its messages.</summary>
    /// <param name="text">The text.</param>
    internal static string FirstLine(string text)
    {
        int end = text.AsSpan().IndexOfAny('\r', '\n');
        string line = end < 0 ? text : text[..end];
        return line.Length <= MaxLength ? line : line[..MaxLength] + " …";
    }
}
