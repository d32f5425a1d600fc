using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using IgptCluster.Contracts;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>The sessions of a Redis-compatible store, by the names of their entries. Any thread.</summary>
/// <param name="address">The store.</param>
/// <param name="prefix">What the names of their entries begin with; the session's id follows.</param>
internal sealed partial class StoredSessions(string address, string prefix) : IStoredSessions, IAsyncDisposable
{
    const int PageSize = 1000;

    readonly Lazy<Task<ConnectionMultiplexer>> _connection = new(() => ConnectionMultiplexer.ConnectAsync(StoreExtensions.Parse(address)));

    /// <inheritdoc/>
    public async IAsyncEnumerable<SessionId> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        ConnectionMultiplexer connection = await _connection.Value;
        foreach (IServer server in connection.GetServers().Where(server => !server.IsReplica))
        {
            await foreach (RedisKey key in server.KeysAsync(pattern: $"{Escaped(prefix)}*", pageSize: PageSize).WithCancellation(cancellationToken))
            {
                yield return new SessionId(key.ToString()[prefix.Length..]);
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_connection.IsValueCreated)
        {
            await (await _connection.Value).DisposeAsync();
        }
    }

    // What stands for other characters in a pattern stands for itself in a name.
    static string Escaped(string name) => Special().Replace(name, @"\$0");

    [GeneratedRegex(@"[\\*?\[\]^]")]
    private static partial Regex Special();
}
