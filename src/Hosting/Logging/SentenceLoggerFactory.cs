using Microsoft.Extensions.Logging;

namespace IgptCluster.Hosting.Logging;

/// <summary>Loggers that tell of a lost connection in one line, whoever logs it: what happened and the failure's own words, without stacks.</summary>
/// <param name="inner">Where it is logged.</param>
internal sealed class SentenceLoggerFactory(ILoggerFactory inner) : ILoggerFactory
{
    /// <inheritdoc/>
    public ILogger CreateLogger(string categoryName) => new SentenceLogger(inner.CreateLogger(categoryName));

    /// <inheritdoc/>
    public void AddProvider(ILoggerProvider provider) => inner.AddProvider(provider);

    /// <inheritdoc/>
    public void Dispose() => inner.Dispose();

    sealed class SentenceLogger(ILogger logger) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => logger.BeginScope(state);

        public bool IsEnabled(LogLevel logLevel) => logger.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (exception?.IsLostConnection() is true)
            {
                logger.Log(logLevel, eventId, state, null, (own, _) => $"{LostConnections.FirstLine(formatter(own, null))}: {LostConnections.FirstLine(exception.Message)}");
            }
            else
            {
                logger.Log(logLevel, eventId, state, exception, formatter);
            }
        }
    }
}
