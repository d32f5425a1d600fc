using Microsoft.Extensions.Diagnostics.HealthChecks;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>Healthy while the store takes a write: without it nothing is generated.</summary>
/// <param name="address">The store.</param>
/// <param name="key">What is written.</param>
internal sealed class StoreReadiness(string address, string key) : IHealthCheck, IAsyncDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Expiry = TimeSpan.FromMinutes(1);

    readonly Lazy<Task<ConnectionMultiplexer>> _connection = new(() => ConnectionMultiplexer.ConnectAsync(StoreExtensions.Parse(address)));

    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            ConnectionMultiplexer connection = await _connection.Value.WaitAsync(Limit, cancellationToken);
            await connection.GetDatabase().StringSetAsync(key, "1", Expiry).WaitAsync(Limit, cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (Exception failure) when (failure is RedisException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy("the store does not take a write");
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
}
