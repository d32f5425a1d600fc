namespace IgptCluster.Client;

/// <summary>How an <see cref="IgptClient"/> finds gateways and how long it goes on without one.</summary>
public sealed class IgptClientOptions
{
    /// <summary>Gateways in the order in which they are tried, at least one: <c>http://</c> (HTTP/2 cleartext) or <c>https://</c>.</summary>
    public required IReadOnlyList<Uri> Addresses { get; init; }

    /// <summary>How long one call or stream goes on trying without an answer, at least 0; what works in between starts it anew. Default 2 minutes, enough for a silo or a gateway to be replaced; 0 = never try again.</summary>
    public TimeSpan RetryLimit { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The wait after a first failure, at least 0; it doubles with each further one. Where there are several gateways the next is tried at once, and waits begin when each has failed. Default 100 ms. Half of every wait is random, so that clients do not come back all at once; what a server asks for by RetryInfo is waited out before.</summary>
    public TimeSpan FirstBackoff { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>The longest wait, at least <see cref="FirstBackoff"/>. Default 5 seconds.</summary>
    public TimeSpan LastBackoff { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Whether calls also wait for a gateway that has never answered. Default true, for services that may start before it; false for people, who may have mistyped the address: then each address is tried once.</summary>
    public bool WaitsForFirstAnswer { get; init; } = true;

    /// <summary>How long a connection may take to come about, above 0. Default 5 seconds.</summary>
    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Silence after which a connection in use is asked for a sign of life, at least 1 second. Default 2 seconds.</summary>
    public TimeSpan PingDelay { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How long that sign may take before the gateway counts as gone, at least 1 second. Default 5 seconds: a frozen gateway is left after 7.</summary>
    public TimeSpan PingTimeout { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>What a generation whose request says nothing gets as session_ttl, at least 0. Default 5 minutes: without one a session ends with its last viewer, and so with the gateway that is lost. 0 = leave it absent.</summary>
    public TimeSpan DefaultSessionTtl { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Largest answer taken, in bytes, above 0. Default 256 MiB.</summary>
    public int MaxReceiveBytes { get; init; } = 256 << 20;

    /// <summary>Further settings of each gateway's connections, certificates for instance; null = none.</summary>
    public Action<SocketsHttpHandler>? ConfigureHandler { get; init; }

    /// <summary>Told before each wait, on any thread; it must not throw. A lost gateway that many streams came from is told of once. Null = nobody.</summary>
    public Action<RetryNotice>? Retrying { get; init; }

    /// <summary>Clock of waits and limits. Default the system's.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Randomness of waits, used under a lock. Default <see cref="Random.Shared"/>.</summary>
    public Random Random { get; init; } = Random.Shared;

    /// <summary>Checks every rule.</summary>
    /// <exception cref="ArgumentException">One is broken; the message says which.</exception>
    internal void Validate()
    {
        Require(Addresses.Count > 0, nameof(Addresses), "needs at least one gateway");
        Require(Addresses.All(address => address.IsAbsoluteUri && address.Scheme is "http" or "https"), nameof(Addresses), $"must be http:// or https:// URLs; given {string.Join(", ", Addresses)}");
        Require(RetryLimit >= TimeSpan.Zero, nameof(RetryLimit), $"must be at least 0; given {RetryLimit}");
        Require(FirstBackoff >= TimeSpan.Zero, nameof(FirstBackoff), $"must be at least 0; given {FirstBackoff}");
        Require(LastBackoff >= FirstBackoff, nameof(LastBackoff), $"must be at least FirstBackoff, {FirstBackoff}; given {LastBackoff}");
        Require(ConnectTimeout > TimeSpan.Zero, nameof(ConnectTimeout), $"must be above 0; given {ConnectTimeout}");
        Require(PingDelay >= TimeSpan.FromSeconds(1), nameof(PingDelay), $"must be at least 1 second; given {PingDelay}");
        Require(PingTimeout >= TimeSpan.FromSeconds(1), nameof(PingTimeout), $"must be at least 1 second; given {PingTimeout}");
        Require(DefaultSessionTtl >= TimeSpan.Zero, nameof(DefaultSessionTtl), $"must be at least 0; given {DefaultSessionTtl}");
        Require(MaxReceiveBytes > 0, nameof(MaxReceiveBytes), $"must be above 0; given {MaxReceiveBytes}");
    }

    static void Require(bool holds, string option, string otherwise)
    {
        if (!holds)
        {
            throw new ArgumentException($"{option} {otherwise}", option);
        }
    }
}
