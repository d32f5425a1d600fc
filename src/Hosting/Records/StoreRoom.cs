using System.Diagnostics;
using IgptCluster.Contracts;
using StackExchange.Redis;

namespace IgptCluster.Hosting.Records;

/// <summary>
/// Whether the embedded store has room, as it says itself each second: first it takes no new records, then none at all. Other stores say nothing, and refuse by themselves. Any thread.
/// </summary>
/// <param name="address">The store.</param>
internal sealed class StoreRoom(string address) : IAsyncDisposable
{
    const string RoomKey = "igpt-store/room"; // written by igpt-store
    const string NewAlone = "new:";
    const string All = "all:";

    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    readonly Lazy<Task<ConnectionMultiplexer>> _connection = new(() => ConnectionMultiplexer.ConnectAsync(StoreExtensions.Parse(address)));
    string _words = "";
    long _asked;

    /// <summary>Refuses a write for which there is no room.</summary>
    /// <param name="isNew">Whether it makes a record, rather than changing one.</param>
    /// <exception cref="IgptException">StoreFull.</exception>
    internal async ValueTask RequireAsync(bool isNew)
    {
        if (Stopwatch.GetElapsedTime(Volatile.Read(ref _asked)) > Interval)
        {
            Volatile.Write(ref _asked, Stopwatch.GetTimestamp());
            ConnectionMultiplexer connection = await _connection.Value;
            _words = (string?)await connection.GetDatabase().StringGetAsync(RoomKey) ?? "";
        }

        if (_words.StartsWith(All, StringComparison.Ordinal) || (isNew && _words.StartsWith(NewAlone, StringComparison.Ordinal)))
        {
            throw Full(_words[NewAlone.Length..]);
        }
    }

    /// <summary>The refusal of a write.</summary>
    /// <param name="rule">Rule, value and cure.</param>
    internal static IgptException Full(string rule) => new(IgptErrorCode.StoreFull, $"the cluster's store is full, so nothing new is stored: {rule}");

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (_connection.IsValueCreated)
        {
            await (await _connection.Value).DisposeAsync();
        }
    }
}
