using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace IgptCluster.Hosting;

/// <summary>What a process of the cluster logs.</summary>
public static class LoggingExtensions
{
    /// <summary>Our own lifecycle events and others' warnings. Configuration (<c>Logging:LogLevel</c>) still wins where it names a category more closely.</summary>
    /// <param name="logging">The process's logging.</param>
    public static ILoggingBuilder AddIgptLogging(this ILoggingBuilder logging) => logging
        .AddTimestamps<SimpleConsoleFormatterOptions>()
        .AddTimestamps<JsonConsoleFormatterOptions>()
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddFilter("Orleans", LogLevel.Warning)
        .AddFilter("Grpc", LogLevel.Warning)

        // It tells of messages that nobody can read, with their stacks: whoever sent one is told. The gateway logs what else fails outside of a method.
        .AddFilter("Grpc.AspNetCore.Server.ServerCallHandler", LogLevel.Critical)

        // What is tried again is told by who tries; of a store that is away, by every session that waits for it, and here once more with two stacks each time.
        .AddFilter("Polly", LogLevel.Error)
        .AddFilter("Orleans.Persistence", LogLevel.Critical)

        // A silo that is lost is told in one line by PresenceWatch, and its sessions by those who take them up; Orleans tells it once more for each connection, probe and message, with stacks.
        .AddFilter("Orleans.Runtime.Messaging", LogLevel.Error)
        .AddFilter("Orleans.Runtime.MembershipService.MembershipSystemTarget", LogLevel.Error)
        .AddFilter("Orleans.Runtime.MembershipService.SiloHealthMonitor", LogLevel.Error)
        .AddFilter("Orleans.Runtime.MembershipService.SiloMetadata", LogLevel.Critical)
        .AddFilter("Orleans.Runtime.CallbackData", LogLevel.Error)
        .AddFilter("Orleans.Runtime.AsyncEnumerableRequest", LogLevel.Error)
        .AddFilter("Orleans.Runtime.GrainDirectory", LogLevel.Error)
        .AddFilter("Orleans.Runtime.GrainDirectory.ClientDirectory", LogLevel.Critical)

        // Who asks is told; a silo that loads or leaves would say so each second.
        .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical)

        // Orleans 10.4.2 warns at each start that its check has not run for as long as the machine is up.
        .AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);

    /// <summary>UTC, unless the configuration has a format of its own.</summary>
    static ILoggingBuilder AddTimestamps<T>(this ILoggingBuilder logging)
        where T : ConsoleFormatterOptions
    {
        // Without a formatter's name the console passes over its formatter's options.
        logging.Services.PostConfigure<ConsoleLoggerOptions>(options => options.FormatterName ??= ConsoleFormatterNames.Simple);
        logging.Services.PostConfigure<T>(options =>
        {
            options.UseUtcTimestamp |= options.TimestampFormat is null;
            options.TimestampFormat ??= "yyyy-MM-ddTHH:mm:ss.fffZ ";
        });
        return logging;
    }
}
