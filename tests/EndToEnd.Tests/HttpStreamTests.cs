using System.Net.ServerSentEvents;
using System.Text.Json;
using Google.Protobuf;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Streams over HTTP.</summary>
public sealed class HttpStreamTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Attach_StreamBrokenAtRandomEvents_GivesEveryTokenOnce(int seed)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        var random = new Random(seed);
        string session = "", last = "";
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"maxNewTokens":400,"sessionTtl":"300s"}""")))
        {
            (session, last) = (HttpGateway.Parse(item).SessionId, item.EventId!);
            if (random.Next(4) == 0)
            {
                break;
            }
        }

        var told = new List<uint>(await TokensAsync(gateway, session, "0", last));
        while (!last.EndsWith('f'))
        {
            int events = 0, most = random.Next(1, 8);
            await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{session}/events", lastEventId: last)))
            {
                GenerateEvent happened = HttpGateway.Parse(item);
                if (happened.Tokens is { } tokens)
                {
                    Assert.Equal((uint)told.Count, tokens.Position);
                    told.AddRange(tokens.Ids);
                }

                last = item.EventId!;
                if (++events == most && happened.Finished is null)
                {
                    break;
                }
            }
        }

        Assert.Equal("400f", last);
        Assert.Equal(await TokensAsync(gateway, session, "0", "400"), told);
        using HttpResponseMessage again = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{session}/events", lastEventId: last));
        Assert.Equal(System.Net.HttpStatusCode.NoContent, again.StatusCode);
    }

    [Fact]
    public async Task Generate_StreamOfSeveralSamplesBroken_GoesOnFromItsLastId()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        string json = $$"""{"maxNewTokens":120,"samples":3,"sessionTtl":"300s","sampling":{"seed":"4"},"operationId":"{{Guid.NewGuid()}}"}""";
        var random = new Random(7);
        var told = new List<uint>[] { [], [], [] };
        int finished = 0;
        for (string last = ""; finished < 3;)
        {
            int events = 0, most = random.Next(1, 12);
            await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", json, lastEventId: last.Length > 0 ? last : null)))
            {
                GenerateEvent happened = HttpGateway.Parse(item);
                if (happened.Tokens is { } tokens)
                {
                    Assert.Equal((uint)told[happened.Sample].Count, tokens.Position);
                    told[happened.Sample].AddRange(tokens.Ids);
                }

                finished += happened.Finished is null ? 0 : 1;
                last = item.EventId!;
                if (++events == most)
                {
                    break;
                }
            }
        }

        Assert.Equal(3, finished);
        Assert.All(told, tokens => Assert.Equal(120, tokens.Count));
        await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", json, lastEventId: "3,4"), 400, "INVALID_ARGUMENT");
        JsonElement problem = await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", "{}", lastEventId: "3"), 400, "INVALID_ARGUMENT");
        Assert.Equal("operation_id", problem.GetProperty("field").GetString());
    }

    [Fact]
    public async Task Attach_IdOfAStreamOfSeveralSamples_GoesOnWithTheSessionsOwn()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        var sessions = new string[2];
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"maxNewTokens":30,"samples":2,"sessionTtl":"300s"}""")))
        {
            GenerateEvent happened = HttpGateway.Parse(item);
            sessions[happened.Sample] = happened.SessionId;
        }

        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{sessions[1]}/events", lastEventId: "5,20")))
        {
            Assert.Equal(20u, HttpGateway.Parse(item).Started.ResumedFrom);
            break;
        }
    }

    [Fact]
    public async Task Attach_SessionIsRewoundMeanwhile_EndsWithAnErrorEvent()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        string session = "", type = "", data = "", last = "";
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"sessionTtl":"300s"}""")))
        {
            if (item.EventType == "tokens" && session.Length == 0)
            {
                session = HttpGateway.Parse(item).SessionId;
                last = item.EventId!;
                await gateway.JsonAsync(HttpMethod.Post, $"/v1/sessions/{session}/rewind", "{}");
            }

            (type, data) = (item.EventType, item.Data);
        }

        Assert.Equal("error", type);
        Assert.Equal("ABORTED", JsonDocument.Parse(data).RootElement.GetProperty("code").GetString());

        // The id of the story before does not join the one after.
        await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{session}/events", lastEventId: last), 409, "ABORTED");
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{session}/events")))
        {
            Assert.Equal((1u, "0r1"), (HttpGateway.Parse(item).Started.Rewinds, item.EventId));
            break;
        }

        await gateway.JsonAsync(HttpMethod.Delete, $"/v1/sessions/{session}");
    }

    [Fact]
    public async Task Generate_ClientThatLeaves_FreesItsSlot()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        using GrpcChannel channel = silo.Server.Connect();
        string session = "";
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", "{}")))
        {
            session = HttpGateway.Parse(item).SessionId;
            if (item.EventType == "tokens")
            {
                break;
            }
        }

        await silo.Server.UntilAsync("the session has ended", async () =>
        {
            JsonElement ended = await gateway.JsonAsync(HttpMethod.Get, $"/v1/sessions/{session}");
            return ended.GetProperty("reason").GetString() == "FINISH_REASON_CANCELLED";
        });
        await silo.Server.UntilAsync("its slot is free", async () => await ServerProcess.SlotsUsedAsync(channel, SharedSilo.Generator) == 0);
    }

    [Fact]
    public async Task Generate_AsLines_IsTheSameMessages()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        using HttpResponseMessage response = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"maxNewTokens":40,"stream":{"includePng":true}}""", accept: "application/x-ndjson"));
        Assert.Equal("application/x-ndjson", response.Content.Headers.ContentType?.MediaType);
        GenerateEvent[] events = [.. (await response.Content.ReadAsStringAsync(Cancelled)).TrimEnd('\n').Split('\n').Select(JsonParser.Default.Parse<GenerateEvent>)];
        Assert.Equal(GenerateEvent.EventOneofCase.Started, events[0].EventCase);
        Assert.Equal(40, events[1..^1].Sum(happened => happened.Tokens.Ids.Count));
        Assert.Equal(events[1..^1].Sum(happened => happened.Tokens.Ids.Count) * 3, events[1..^1].Sum(happened => happened.Tokens.Rgb.Length));
        Assert.Equal(FinishReason.Length, events[^1].Finished.Reason);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], events[^1].Finished.Png.Span[..4].ToArray());
    }

    [Fact]
    public async Task Watch_AsEvents_TellsOfTheCluster()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Get, "/v1/cluster/events", accept: "text/event-stream")))
        {
            Assert.Equal("cluster", item.EventType);
            Assert.Equal("Active", JsonParser.Default.Parse<ClusterDescription>(item.Data).Silos[0].Status);
            break;
        }
    }

    static async Task<List<uint>> TokensAsync(HttpGateway gateway, string session, string from, string to)
    {
        int end = int.Parse(to.TrimEnd('f'), System.Globalization.CultureInfo.InvariantCulture);
        var tokens = new List<uint>();
        if (end == 0)
        {
            return tokens;
        }

        await foreach (SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{session}/events?from_position={from}")))
        {
            tokens.AddRange(HttpGateway.Parse(item).Tokens?.Ids ?? []);
            if (tokens.Count >= end)
            {
                break;
            }
        }

        return tokens[..end];
    }
}
