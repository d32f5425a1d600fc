using System.Net.Sockets;
using IgptCluster.Hosting.Logging;
using Microsoft.Extensions.Logging;
using StackExchange.Redis;

namespace IgptCluster.Grains.Tests;

/// <summary>What a process logs of failures: a lost connection in one line, everything else with its stack.</summary>
public sealed class LoggingTests : IDisposable
{
    readonly Kept _kept = new();
    readonly ILoggerFactory _loggers;

    public LoggingTests() => _loggers = LoggerFactory.Create(logging => logging.AddProvider(_kept).AddIgptLogging());

    public static TheoryData<Exception> Lost =>
    [
        new SocketException((int)SocketError.ConnectionReset),
        new SiloUnavailableException("gone\r\n   at Far.Away()"),
        new TimeoutException("no answer"),
        new RedisConnectionException(ConnectionFailureType.SocketClosed, "gone"),
        new IOException("cannot write", new SocketException((int)SocketError.Shutdown)),
        new OrleansException("cannot store", new AggregateException(new InvalidOperationException("a bug"), new RedisTimeoutException("late", CommandStatus.WaitingToBeSent))),
    ];

    [Theory]
    [MemberData(nameof(Lost))]
    public void Log_LostConnection_IsOneLineInEveryCategory(Exception lost)
    {
        foreach (string category in new[] { "Orleans.Runtime.Messaging.Connection", "Orleans.Runtime.GrainDirectory", "Grpc.Net.Client", "IgptCluster.Grains.Sessions.SessionGrain" })
        {
            _loggers.CreateLogger(category).Log(LogLevel.Error, default, "us", Thrown(lost), (who, _) => $"Something failed for {who}\n   at Somewhere()");
            (string Text, Exception? Failure) = Assert.Single(_kept.Entries);
            _kept.Entries.Clear();
            Assert.Null(Failure);
            Assert.Equal($"Something failed for us: {lost.Message.Split('\r')[0]}", Text);
        }
    }

    [Fact]
    public void Log_AnythingElse_KeepsItsStack()
    {
        Exception bug = Thrown(new InvalidOperationException("a bug"));
        _loggers.CreateLogger("Orleans.Runtime.Messaging.Connection").Log(LogLevel.Error, default, "Something failed", bug, (text, _) => text);
        Assert.Equal([("Something failed", bug)], _kept.Entries);
    }

    static Exception Thrown(Exception exception)
    {
        try
        {
            throw exception;
        }
        catch (Exception thrown)
        {
            return thrown;
        }
    }

    public void Dispose()
    {
        _loggers.Dispose();
        _kept.Dispose();
    }

    sealed class Kept : ILoggerProvider, ILogger
    {
        internal List<(string Text, Exception? Failure)> Entries { get; } = [];

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Entries.Add((formatter(state, exception), exception));

        public void Dispose()
        {
        }
    }
}
