using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace IgptCluster.Hosting.Logging;

/// <summary>What a process of the cluster logs.</summary>
public static class LoggingExtensions
{
    /// <summary>Our own lifecycle events and others' warnings; lost connections in one line each (<see cref="SentenceLoggerFactory"/>). Configuration (<c>Logging:LogLevel</c>) still wins where it names a category more closely.</summary>
    /// <param name="logging">The process's logging.</param>
    public static ILoggingBuilder AddIgptLogging(this ILoggingBuilder logging) => logging
        .AddSentences()
        .AddTimestamps<SimpleConsoleFormatterOptions>()
        .AddTimestamps<JsonConsoleFormatterOptions>()
        .AddFilter("Microsoft", LogLevel.Warning)
        .AddFilter("Orleans", LogLevel.Warning)
        .AddFilter("Grpc", LogLevel.Warning)

        // It tells of messages that nobody can read, with their stacks: whoever sent one is told. The gateway logs what else fails outside of a method.
        .AddFilter("Grpc.AspNetCore.Server.ServerCallHandler", LogLevel.Critical)

        // Each attempt of whatever is tried again.
        .AddFilter("Polly", LogLevel.Warning)

        // Each call that was under way to a lost silo, and each write that failed; who made it tells what became of it.
        .AddFilter("Orleans.Runtime.CallbackData", LogLevel.Error)
        .AddFilter("Orleans.Persistence", LogLevel.Critical)

        // Who asks is told; a silo that loads or leaves would say so each second.
        .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Critical)

        // Orleans 10.4.2 warns at each start that its check has not run for as long as the machine is up.
        .AddFilter("Orleans.Runtime.Watchdog", LogLevel.Error);

    static ILoggingBuilder AddSentences(this ILoggingBuilder logging)
    {
        logging.Services.Replace(ServiceDescriptor.Singleton<ILoggerFactory>(services => new SentenceLoggerFactory(new LoggerFactory(
            services.GetServices<ILoggerProvider>(), services.GetRequiredService<IOptionsMonitor<LoggerFilterOptions>>(), services.GetService<IOptions<LoggerFactoryOptions>>(), services.GetService<IExternalScopeProvider>()))));
        return logging;
    }

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
