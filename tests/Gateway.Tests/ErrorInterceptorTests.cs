using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Gateway.Tests;

public sealed class ErrorInterceptorTests
{
    [Fact]
    public async Task UnaryServerHandler_InternalFailureOfAGrain_HasAnIdThatIsInTheLog()
    {
        var log = new Recorder();
        var bug = new IgptException(IgptErrorCode.Internal, "replica toy/0: values are not finite");
        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => new ErrorInterceptor(log).UnaryServerHandler<string, string>("", new Context(), (_, _) => throw bug));
        Assert.Equal(StatusCode.Internal, failure.StatusCode);
        (string message, Exception? logged) = Assert.Single(log.Lines);
        Assert.Same(bug, logged);
        string id = message.Split(' ')[2];
        Assert.Contains(id, failure.Status.Detail, StringComparison.Ordinal);
        Assert.DoesNotContain("finite", failure.Status.Detail, StringComparison.Ordinal);
    }

    sealed class Recorder : ILogger<ErrorInterceptor>
    {
        public List<(string Message, Exception? Exception)> Lines { get; } = [];

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            Lines.Add((formatter(state, exception), exception));
    }

    sealed class Context : ServerCallContext
    {
        protected override string MethodCore => "/igpt.v1.ImageGpt/Score";

        protected override string HostCore => "";

        protected override string PeerCore => "";

        protected override DateTime DeadlineCore => DateTime.MaxValue;

        protected override Metadata RequestHeadersCore { get; } = [];

        protected override CancellationToken CancellationTokenCore => CancellationToken.None;

        protected override Metadata ResponseTrailersCore { get; } = [];

        protected override Status StatusCore { get; set; }

        protected override WriteOptions? WriteOptionsCore { get; set; }

        protected override AuthContext AuthContextCore { get; } = new("", []);

        protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

        protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => Task.CompletedTask;
    }
}
