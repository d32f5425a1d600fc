using System.Diagnostics;
using IgptCluster.Contracts;
using IgptCluster.Hosting.Records;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Orleans.Storage;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>Storage from configuration.</summary>
public static class StoreExtensions
{
    /// <summary>The health check that tells whether the store takes writes; there is none where nothing is stored.</summary>
    public const string HealthCheck = "store";

    /// <summary>Sessions that nobody has touched for so long are gone: those that were never collected because their cluster ended.</summary>
    static readonly TimeSpan Retention = TimeSpan.FromDays(60);

    static readonly TimeSpan ReconnectInterval = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>Stores sessions and what they are to be woken for, models and heads.</summary>
    /// <param name="silo">The silo being built, or the gateway, which only looks.</param>
    /// <param name="clusterId">Clusters of other ids share the store and nothing in it.</param>
    /// <param name="address">The store; null: nothing is stored.</param>
    public static ISiloBuilder UseIgptStore(this ISiloBuilder silo, string clusterId, string? address)
    {
        if (address is null)
        {
            return silo;
        }

        silo.Services.AddSingleton<IStoredSessions>(_ => new StoredSessions(address, KeyOf(clusterId, "sessions", "")));
        silo.Services.AddSingleton(_ => new StoreRoom(address));
        silo.Services.AddSingleton(_ => new StoreReadiness(address, KeyOf(clusterId, "readiness", Guid.NewGuid().ToString("N"))));
        silo.Services.AddHealthChecks().AddCheck<StoreReadiness>(HealthCheck, tags: ["ready"]);
        silo.UseRedisReminderService(redis => redis.ConfigurationOptions = Parse(address));
        return silo.AddStorage("sessions", clusterId, address, Retention).AddStorage("cluster", clusterId, address, expiry: null);
    }

    /// <summary>Waits until a store answers: it may be starting beside this process.</summary>
    /// <param name="address">The store.</param>
    /// <exception cref="InvalidOperationException">It does not, or takes no such password; the message has its words.</exception>
    public static async Task RequireAsync(string address)
    {
        ConfigurationOptions options = Parse(address);
        options.AbortOnConnectFail = true;
        for (var waited = Stopwatch.StartNew(); ;)
        {
            try
            {
                await using ConnectionMultiplexer connection = await ConnectionMultiplexer.ConnectAsync(options);
                await connection.GetDatabase().PingAsync();
                return;
            }
            catch (RedisException) when (waited.Elapsed < Patience)
            {
                await Task.Delay(LookInterval);
            }
            catch (RedisException failure)
            {
                string where = string.Join(", ", options.EndPoints.Select(EndPointCollection.ToString));
                throw new InvalidOperationException($"the store at {where} does not answer: {failure.Message} Start it, or give another address and password (Igpt:Store:Address, --store)", failure);
            }
        }
    }

    /// <summary>A store's address, patient with one that restarts.</summary>
    internal static ConfigurationOptions Parse(string address)
    {
        ConfigurationOptions options = ConfigurationOptions.Parse(address);
        options.AbortOnConnectFail = false;

        // The library's own policy waits longer each time: all sessions would wait with it.
        options.ReconnectRetryPolicy = new LinearRetry((int)ReconnectInterval.TotalMilliseconds);
        return options;
    }

    static ISiloBuilder AddStorage(this ISiloBuilder silo, string name, string clusterId, string address, TimeSpan? expiry)
    {
        string NameOf(string state, GrainId grain) => state.StartsWith(GuardedStorage.Damaged, StringComparison.Ordinal)
            ? KeyOf(clusterId, "set-aside", $"{grain}/{state[GuardedStorage.Damaged.Length..]}")
            : KeyOf(clusterId, name, name == "sessions" ? $"{grain.Key}" : $"{grain}/{state}");
        string store = $"{name}-store";
        silo.Services.AddKeyedSingleton<IGrainStorage>(name, (services, _) => new GuardedStorage(
            services.GetRequiredKeyedService<IGrainStorage>(store),
            new OrleansGrainStorageSerializer(services.GetRequiredService<Orleans.Serialization.Serializer>()),
            services.GetRequiredService<StoreRoom>(),
            NameOf,
            services.GetRequiredService<ILogger<GuardedStorage>>()));
        return silo.AddRedisGrainStorage(store, options =>
        {
            options.ConfigurationOptions = Parse(address);
            options.EntryExpiry = expiry;
            options.GetStorageKey = (state, grain) => NameOf(state, grain);
            options.GrainStorageSerializer = new StoredRecord.Serializer();
            options.DeleteStateOnClear = true;
        });
    }

    static string KeyOf(string clusterId, string storage, string rest) => $"igpt/{clusterId}/{storage}/{rest}";
}
