using Orleans.Storage;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>Storage from configuration.</summary>
public static class StoreExtensions
{
    /// <summary>What nobody has touched for so long is gone: sessions that were never collected because their cluster ended.</summary>
    static readonly TimeSpan Retention = TimeSpan.FromDays(8);

    /// <summary>Stores sessions.</summary>
    /// <param name="silo">The silo being built.</param>
    /// <param name="address">The store; null: they are not stored.</param>
    public static ISiloBuilder UseIgptStore(this ISiloBuilder silo, string? address)
    {
        return address is null ? silo : silo.AddRedisGrainStorage("sessions", options => options.Configure<Orleans.Serialization.Serializer>((redis, serializer) =>
        {
            redis.ConfigurationOptions = Parse(address);
            redis.EntryExpiry = Retention;
            redis.GrainStorageSerializer = new OrleansGrainStorageSerializer(serializer);
        }));
    }

    /// <summary>A store's address, patient with one that restarts.</summary>
    internal static ConfigurationOptions Parse(string address)
    {
        ConfigurationOptions options = ConfigurationOptions.Parse(address);
        options.AbortOnConnectFail = false;
        return options;
    }
}
