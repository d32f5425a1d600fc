using System.Net.ServerSentEvents;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using IgptCluster.Protocol.V1;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A client of the HTTP port that knows no more than HTTP, JSON and server-sent events.</summary>
internal sealed class HttpGateway(Uri address) : IDisposable
{
    // Who leaves a stream closes its connection at once, and does not read on in the hope of its end.
    readonly HttpClient _client = new(new SocketsHttpHandler { MaxResponseDrainSize = 0 }) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>A request with a JSON body, or none.</summary>
    public static HttpRequestMessage Request(HttpMethod method, string path, string? json = null, string? accept = null, string? lastEventId = null)
    {
        var request = new HttpRequestMessage(method, path) { Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json") };
        foreach ((string name, string? value) in new[] { ("Accept", accept), ("Last-Event-ID", lastEventId) })
        {
            if (value is not null)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }
        }

        return request;
    }

    /// <summary>Sends a request and reads its answer whole.</summary>
    public async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request)
    {
        using (request)
        {
            return await _client.SendAsync(request, Cancelled);
        }
    }

    /// <summary>An answer that must be JSON of success.</summary>
    public async Task<JsonElement> JsonAsync(HttpMethod method, string path, string? json = null)
    {
        using HttpResponseMessage response = await SendAsync(Request(method, path, json));
        string text = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode} {text}");
        Assert.Equal("application/json", response.Content.Headers.ContentType?.MediaType);
        return JsonDocument.Parse(text).RootElement;
    }

    /// <summary>An answer that must be a problem.</summary>
    public async Task<JsonElement> ProblemAsync(HttpRequestMessage request, int status, string code)
    {
        using HttpResponseMessage response = await SendAsync(request);
        string text = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.True(status == (int)response.StatusCode, $"{(int)response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        JsonElement problem = JsonDocument.Parse(text).RootElement;
        Assert.Equal((status, code), (problem.GetProperty("status").GetInt32(), problem.GetProperty("code").GetString()));
        Assert.NotEmpty(problem.GetProperty("detail").GetString()!);
        Assert.Equal(status is 429 or 503, response.Headers.RetryAfter is not null);
        return problem;
    }

    /// <summary>The events of a stream, as they come; leaving the enumeration closes the connection.</summary>
    public async IAsyncEnumerable<SseItem<string>> EventsAsync(HttpRequestMessage request)
    {
        using (request)
        {
            using HttpResponseMessage response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancelled);
            Assert.True(response.IsSuccessStatusCode, response.IsSuccessStatusCode ? "" : await response.Content.ReadAsStringAsync(Cancelled));
            Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
            await using Stream body = await response.Content.ReadAsStreamAsync(Cancelled);
            await foreach (SseItem<string> item in SseParser.Create(body).EnumerateAsync(Cancelled))
            {
                yield return item;
            }
        }
    }

    /// <summary>An event's message, which must be that of its name.</summary>
    public static GenerateEvent Parse(SseItem<string> item)
    {
        Assert.True(item.EventType is "started" or "tokens" or "finished", $"{item.EventType}: {item.Data}");
        GenerateEvent happened = JsonParser.Default.Parse<GenerateEvent>(item.Data);
        Assert.Equal(item.EventType, happened.EventCase.ToString().ToLowerInvariant());
        return happened;
    }

    public void Dispose() => _client.Dispose();
}
