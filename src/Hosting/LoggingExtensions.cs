using Microsoft.Extensions.Logging;

namespace IgptCluster.Hosting;

/// <summary>What a process of the cluster logs.</summary>
public static class LoggingExtensions
{
    /// <summary>Our own lifecycle events and others' warnings. Configuration (<c>Logging:LogLevel</c>) still wins where it names a category more closely.</summary>
    /// <param name="logging">The process's logging.</param>
    public static ILoggingBuilder AddIgptLogging(this ILoggingBuilder logging) => logging
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddFilter("Orleans", LogLevel.Warning)
        .AddFilter("Grpc", LogLevel.Warning)

        // What is tried again is told by who tries; of a store that is away, by every session that waits for it, and here once more with two stacks each time.
        .AddFilter("Polly", LogLevel.Error)
        .AddFilter("Orleans.Persistence", LogLevel.Critical)

        // Who asks is told; a silo that loads or leaves would say so each second.
        .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical)

        // Orleans 10.4.2 warns at each start that its check has not run for as long as the machine is up.
        .AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);
}
