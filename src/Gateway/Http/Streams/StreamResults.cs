using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Threading.Channels;
using Grpc.Core;
using IgptCluster.Gateway.Http.Problems;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Http.Streams;

/// <summary>Answers with a streaming call's events. A call that fails before its first event is a problem; one that fails later ends with an event <c>error</c>, which holds the problem. Any thread.</summary>
/// <param name="json">How problems are written.</param>
/// <param name="time">Clock of the pauses.</param>
internal sealed class StreamResults(IOptions<Microsoft.AspNetCore.Http.Json.JsonOptions> json, TimeProvider time)
{
    /// <summary>The event of a failure.</summary>
    internal const string Error = "error";

    // Proxies close connections that are silent for 30 s or 60 s.
    static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    /// <summary>The answer.</summary>
    /// <typeparam name="TEvent">The stream's message.</typeparam>
    /// <param name="http">The request.</param>
    /// <param name="call">The call.</param>
    /// <param name="format">How it is written.</param>
    /// <param name="tell">What to send of an event, each with its name, JSON and id.</param>
    /// <exception cref="RpcException">The call failed before its first event.</exception>
    public async Task<IResult> AnswerAsync<TEvent>(HttpContext http, StreamedCall<TEvent> call, StreamFormat format, Func<TEvent, IEnumerable<SseItem<string>>> tell)
    {
        await call.Events.WaitToReadAsync(http.RequestAborted);

        // Proxies such as nginx collect a response before they pass it on unless they are told.
        http.Response.Headers["X-Accel-Buffering"] = "no";
        return format == StreamFormat.ServerSentEvents
            ? TypedResults.ServerSentEvents(ReadAsync(http, call.Events, tell, () => PauseAsync(http), http.RequestAborted))
            : TypedResults.Stream(body => WriteLinesAsync(body, ReadAsync(http, call.Events, tell, () => Task.CompletedTask, http.RequestAborted), http.RequestAborted), StreamFormats.JsonLines);
    }

    async IAsyncEnumerable<SseItem<string>> ReadAsync<TEvent>(
        HttpContext http, ChannelReader<TEvent> events, Func<TEvent, IEnumerable<SseItem<string>>> tell, Func<Task> pause, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (ProblemDetails? problem = null; problem is null;)
        {
            SseItem<string>[] items = [];
            try
            {
                if (!await NextAsync(events, pause, cancellationToken))
                {
                    yield break;
                }

                if (events.TryRead(out TEvent? happened))
                {
                    items = [.. tell(happened)];
                }
            }
            catch (RpcException failure) when (!cancellationToken.IsCancellationRequested)
            {
                problem = Problem.For(http, Problem.Of(failure));
                items = [Told(problem)];
            }

            foreach (SseItem<string> item in items)
            {
                yield return item;
            }
        }
    }

    SseItem<string> Told(ProblemDetails problem) => new(JsonSerializer.Serialize(problem, json.Value.SerializerOptions), Error)
    {
        ReconnectionInterval = Problem.Delay(problem) is { } seconds ? TimeSpan.FromSeconds(seconds) : null,
    };

    async Task<bool> NextAsync<TEvent>(ChannelReader<TEvent> events, Func<Task> pause, CancellationToken cancellationToken)
    {
        Task<bool> next = events.WaitToReadAsync(cancellationToken).AsTask();
        while (true)
        {
            try
            {
                return await next.WaitAsync(LongestPause, time, cancellationToken);
            }
            catch (TimeoutException) when (!next.IsCompleted)
            {
                await pause();
            }
        }
    }

    /// <summary>A comment, which clients pass over. The events' writer waits meanwhile, and has flushed what it had.</summary>
    static async Task PauseAsync(HttpContext http)
    {
        await http.Response.WriteAsync(": still here\n\n", http.RequestAborted);
        await http.Response.Body.FlushAsync(http.RequestAborted);
    }

    static async Task WriteLinesAsync(Stream body, IAsyncEnumerable<SseItem<string>> items, CancellationToken cancellationToken)
    {
        await foreach (SseItem<string> item in items.WithCancellation(cancellationToken))
        {
            string line = item.EventType == Error ? $$"""{"error":{{item.Data}}}""" : item.Data;
            await body.WriteAsync(System.Text.Encoding.UTF8.GetBytes($"{line}\n"), cancellationToken);
            await body.FlushAsync(cancellationToken);
        }
    }
}
