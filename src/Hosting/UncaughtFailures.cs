using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Hosting;

/// <summary>Logs what nothing caught: the failure that ends the process, and those of tasks that nobody awaits. From the host's start to the process's end.</summary>
/// <param name="logger">Log.</param>
sealed partial class UncaughtFailures(ILogger<UncaughtFailures> logger) : IHostedService
{
    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        AppDomain.CurrentDomain.UnhandledException += (_, failure) => LogUnhandled(logger, failure.ExceptionObject as Exception);
        TaskScheduler.UnobservedTaskException += (_, failure) => LogUnobserved(logger, failure.Exception);
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(1051, LogLevel.Critical, "A failure that nothing caught ends the process: a bug")]
    static partial void LogUnhandled(ILogger logger, Exception? failure);

    [LoggerMessage(1052, LogLevel.Debug, "A task failed, and nothing awaited it: a bug")]
    static partial void LogUnobserved(ILogger logger, Exception failure);
}
