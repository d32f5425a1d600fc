using System.Net.ServerSentEvents;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Http.Streams;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace IgptCluster.Gateway.Tests.Http;

public sealed class StreamResultsTests
{
    readonly FakeTimeProvider _time = new();

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Answer_SilentCall_SendsComments()
    {
        var resume = new TaskCompletionSource();
        var http = Context("text/event-stream");
        var body = new WatchedStream();
        http.Response.Body = body;
        await using var call = new StreamedCall<string>(
            async (stream, _) =>
            {
                await stream.WriteAsync("one", Cancelled);
                await resume.Task;
                await stream.WriteAsync("two", Cancelled);
            },
            http.RequestAborted);
        Task answered = (await Results().AnswerAsync(http, call, StreamFormats.Of(http.Request), text => [new SseItem<string>(text, "word")])).ExecuteAsync(http);
        await body.UntilAsync("data: one", Cancelled);

        // The wait for the next event may begin after the first step of the clock.
        while (!body.Text.Contains(": still here\n\n", StringComparison.Ordinal))
        {
            _time.Advance(TimeSpan.FromSeconds(15));
            await Task.Yield();
        }

        resume.SetResult();
        await answered;
        Assert.EndsWith("event: word\ndata: two\n\n", body.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("text/event-stream", "event: word\ndata: one\n\nevent: error\ndata: {\"", "retry: 2000\n\n")]
    [InlineData("application/x-ndjson", "one\n{\"error\":{\"", "}}\n")]
    public async Task Answer_CallThatFailsAmidItsStream_EndsWithTheProblem(string type, string start, string end)
    {
        var http = Context(type);
        var body = new WatchedStream();
        http.Response.Body = body;
        await using var call = new StreamedCall<string>(
            async (stream, _) =>
            {
                await stream.WriteAsync("one", Cancelled);
                throw new IgptException(IgptErrorCode.NoReplica, "the replica is gone").ToRpcException();
            },
            http.RequestAborted);
        await (await Results().AnswerAsync(http, call, StreamFormats.Of(http.Request), text => [new SseItem<string>(text, "word")])).ExecuteAsync(http);
        Assert.StartsWith(start, body.Text, StringComparison.Ordinal);
        Assert.EndsWith(end, body.Text, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"UNAVAILABLE\"", body.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answer_CallThatFailsAtOnce_Fails()
    {
        var http = Context("text/event-stream");
        await using var call = new StreamedCall<string>((_, _) => throw new IgptException(IgptErrorCode.ModelNotFound, "no model").ToRpcException(), http.RequestAborted);
        RpcException failure = await Assert.ThrowsAsync<RpcException>(() => Results().AnswerAsync(http, call, StreamFormats.Of(http.Request), text => [new SseItem<string>(text)]));
        Assert.Equal(StatusCode.NotFound, failure.StatusCode);
    }

    [Fact]
    public async Task Dispose_ReaderThatIsSlow_EndsTheCall()
    {
        bool hasEnded = false;
        var call = new StreamedCall<string>(
            async (stream, cancellationToken) =>
            {
                try
                {
                    while (true)
                    {
                        await stream.WriteAsync("again", cancellationToken);
                    }
                }
                finally
                {
                    hasEnded = true;
                }
            },
            CancellationToken.None);
        Assert.True(await call.Events.WaitToReadAsync(Cancelled));
        await call.DisposeAsync();
        Assert.True(hasEnded);
    }

    StreamResults Results() => new(Options.Create(new JsonOptions()), _time);

    static DefaultHttpContext Context(string accept) => new()
    {
        RequestServices = new ServiceCollection().AddLogging().BuildServiceProvider(),
        Request = { Headers = { Accept = accept } },
    };

    /// <summary>Remembers what is written to it.</summary>
    sealed class WatchedStream : MemoryStream
    {
        readonly System.Threading.Lock _gate = new();

        public string Text
        {
            get
            {
                lock (_gate)
                {
                    return System.Text.Encoding.UTF8.GetString(ToArray());
                }
            }
        }

        public async Task UntilAsync(string text, CancellationToken cancellationToken)
        {
            while (!Text.Contains(text, StringComparison.Ordinal))
            {
                cancellationToken.ThrowIfCancellationRequested();
                await Task.Yield();
            }
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            lock (_gate)
            {
                Write(buffer.Span);
            }

            return ValueTask.CompletedTask;
        }
    }
}
