using System.Net.ServerSentEvents;
using Google.Protobuf.Reflection;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Services;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Http.Streams;

/// <summary>The streaming rpcs as server-sent events or lines of JSON.</summary>
internal static class StreamEndpoints
{
    /// <summary>The rpc of Generate.</summary>
    internal static MethodDescriptor GenerateRpc { get; } = ImageGpt.Descriptor.FindMethodByName(nameof(ImageGpt.ImageGptBase.Generate));

    static readonly MethodDescriptor AttachRpc = Sessions.Descriptor.FindMethodByName(nameof(Sessions.SessionsBase.Attach));
    static readonly MethodDescriptor GetRpc = Sessions.Descriptor.FindMethodByName(nameof(Sessions.SessionsBase.Get));
    static readonly MethodDescriptor WatchRpc = Cluster.Descriptor.FindMethodByName(nameof(Cluster.ClusterBase.Watch));

    /// <summary>Maps them.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapStreams(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/generate", GenerateAsync).WithoutQuery().WithMetadata(GenerateRpc).ExcludeFromDescription();
        routes.MapGet("/v1/sessions/{session_id}/events", AttachAsync).WithMetadata(AttachRpc).ExcludeFromDescription();
        routes.MapGet("/v1/cluster/events", WatchAsync).WithMetadata(WatchRpc).ExcludeFromDescription();
    }

    static async Task<IResult> GenerateAsync(HttpContext http, ServiceCalls calls, ImageGptService service, StreamResults results)
    {
        StreamFormat format = StreamFormats.Of(http.Request);
        GenerateRequest request = FormMessages.IsForm(http.Request)
            ? await FormMessages.ReadAsync<GenerateRequest>(http.Request, "prompt", (message, image) => message.Prompt = image)
            : await JsonMessages.ReadAsync<GenerateRequest>(http.Request);
        int samples = (int)Math.Clamp(request.Samples, 1, GatewayOptions.MostSamples);
        EventId id = EventId.Of(http.Request) ?? EventId.Nothing(samples);
        Require.That(id.Samples.Count == samples, EventId.Header, $"must be the id of an event of a stream of {samples} samples; given one of {id.Samples.Count}");
        Require.That(
            request.OperationId.Length > 0 || id.Samples.All(sample => sample is null),
            "operation_id",
            $"must be that of the generation whose stream broke where {EventId.Header} is sent; given none: or go on with GET /v1/sessions/{{session_id}}/events");
        if (id.IsFinished)
        {
            return TypedResults.NoContent();
        }

        ToldSample?[] told = [.. id.Samples];
        StreamedCall<GenerateEvent> call = calls.Open<GenerateRequest, GenerateEvent>(
            http, GenerateRpc, request, (message, stream, context) => service.GenerateAsync(message, told, stream, context));
        return await results.AnswerAsync(http, call, format, happened => Tell(id, (int)happened.Sample, happened));
    }

    static async Task<IResult> AttachAsync(HttpContext http, string session_id, ServiceCalls calls, SessionsService service, StreamResults results)
    {
        StreamFormat format = StreamFormats.Of(http.Request);
        var request = new AttachRequest();
        QueryFields.Read(http.Request.Query, request);
        request.SessionId = session_id;
        if (EventId.Of(http.Request) is { } last)
        {
            // The id of a stream of several samples has the session's place in it.
            int index = last.Samples.Count == 1 ? 0 : (int)(await calls.CallAsync(http, GetRpc, new GetSessionRequest { SessionId = session_id }, service.Get)).Sample;
            Require.That(index < last.Samples.Count, EventId.Header, $"must have a place for the session's sample, {index}; given one of {last.Samples.Count} samples");
            if (last.Samples[index] is { } told)
            {
                if (told.IsFinished)
                {
                    return TypedResults.NoContent();
                }

                (request.FromPosition, request.Rewinds) = ((uint)told.Position, (uint)told.Rewinds);
            }
        }

        EventId id = EventId.Nothing(1);
        return await results.AnswerAsync(http, calls.Open<AttachRequest, GenerateEvent>(http, AttachRpc, request, service.Attach), format, happened => Tell(id, 0, happened));
    }

    static Task<IResult> WatchAsync(HttpContext http, ServiceCalls calls, ClusterService service, StreamResults results)
    {
        StreamFormat format = StreamFormats.Of(http.Request);
        var request = new WatchClusterRequest();
        QueryFields.Read(http.Request.Query, request);
        return results.AnswerAsync(http, calls.Open<WatchClusterRequest, ClusterDescription>(http, WatchRpc, request, service.Watch), format, now => [new SseItem<string>(JsonMessages.Format(now), "cluster")]);
    }

    static SseItem<string>[] Tell(EventId id, int index, GenerateEvent happened)
    {
        id.Tell(index, happened);
        return [new SseItem<string>(JsonMessages.Format(happened), happened.EventCase.ToString().ToLowerInvariant()) { EventId = id.ToString() }];
    }
}
