using System.Globalization;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Google.Protobuf.Reflection;
using Grpc.Core;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Http.Description;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Services;
using IgptCluster.Protocol.Inference;
using Microsoft.OpenApi;

namespace IgptCluster.Gateway.Http.Inference;

/// <summary>The Open Inference Protocol over HTTP.</summary>
internal static class InferenceEndpoints
{
    const string Tag = "Open Inference Protocol";
    const string Json = "application/json";

    /// <summary>The header that tells how many bytes of a body are JSON; the others are tensors.</summary>
    const string JsonLength = "Inference-Header-Content-Length";

    /// <summary>Maps it.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapInference(this IEndpointRouteBuilder routes)
    {
        RouteGroupBuilder group = routes.MapGroup("/v2");
        group.WithMetadata(new InferenceErrors()).WithoutQuery();
        group.MapGet("/health/live", () => TypedResults.Json(new { live = true })).Describe("Inference_ServerLive", Tag, "200 while this gateway lives", Json);
        group.MapGet("/health/ready", (HttpContext http, ServiceCalls calls, InferenceService service) => ReadyAsync(calls.CallAsync(http, Rpc(nameof(service.ServerReady)), new ServerReadyRequest(), service.ServerReady), answer => answer.Ready))
            .Describe("Inference_ServerReady", Tag, "200 once some model takes work", Json);
        group.MapGet("", (HttpContext http, ServiceCalls calls, InferenceService service) => AnswerAsync(calls.CallAsync(http, Rpc(nameof(service.ServerMetadata)), new ServerMetadataRequest(), service.ServerMetadata)))
            .Describe("Inference_ServerMetadata", Tag, "What this server is", Json);
        foreach (string path in new[] { "/models/{model}", "/models/{model}/versions/{version}" })
        {
            string name = path.Contains("version", StringComparison.Ordinal) ? "Version" : "Model";
            group.MapGet($"{path}/ready", (HttpContext http, ServiceCalls calls, InferenceService service) =>
                ReadyAsync(calls.CallAsync(http, Rpc(nameof(service.ModelReady)), new ModelReadyRequest { Name = Value(http, "model"), Version = Value(http, "version") }, service.ModelReady), answer => answer.Ready))
                .Describe($"Inference_{name}Ready", Tag, "200 while the model takes work", Json);
            group.MapGet(path, (HttpContext http, ServiceCalls calls, InferenceService service) =>
                AnswerAsync(calls.CallAsync(http, Rpc(nameof(service.ModelMetadata)), new ModelMetadataRequest { Name = Value(http, "model"), Version = Value(http, "version") }, service.ModelMetadata)))
                .Describe($"Inference_{name}Metadata", Tag, "Which tensors the model takes and gives", Json);
            group.MapPost($"{path}/infer", InferAsync).Describe($"Inference_{name}Infer", Tag, "Classifies, embeds, scores or completes images", Json)
                .AddOpenApiOperationTransformer((operation, _, _) =>
                {
                    operation.RequestBody = new OpenApiRequestBody
                    {
                        Description = "An inference request of the Open Inference Protocol, version 2: inputs with name, datatype, shape and data, outputs by name, parameters.",
                        Content = new Dictionary<string, OpenApiMediaType> { [Json] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.Object } } },
                    };
                    return Task.CompletedTask;
                });
        }
    }

    static async Task<IResult> InferAsync(HttpContext http, ServiceCalls calls, InferenceService service)
    {
        using var body = new MemoryStream();
        await http.Request.Body.CopyToAsync(body, http.RequestAborted);
        string given = http.Request.Headers[JsonLength].ToString();
        int length = (int)body.Length;
        Require.That(
            given.Length == 0 || (int.TryParse(given, NumberStyles.None, CultureInfo.InvariantCulture, out length) && length <= body.Length), JsonLength, $"must be a number of bytes that the body has; given {Contracts.Echo.Quoted(given)}");
        ModelInferRequest request = InferenceJson.Read(body.ToArray(), length, out HashSet<string>? binaryOutputs);
        (request.ModelName, request.ModelVersion) = (Value(http, "model"), Value(http, "version"));
        ModelInferResponse response = await calls.CallAsync(http, Rpc(nameof(service.ModelInfer)), request, service.ModelInfer);
        (byte[] json, byte[] rest) = InferenceJson.Write(response, binaryOutputs);
        if (rest.Length == 0)
        {
            return TypedResults.Bytes(json, Json);
        }

        http.Response.Headers[JsonLength] = json.Length.ToString(CultureInfo.InvariantCulture);
        return TypedResults.Bytes((byte[])[.. json, .. rest], "application/octet-stream");
    }

    static async Task<IResult> ReadyAsync<T>(Task<T> answer, Func<T, bool> isReady) => isReady(await answer)
        ? TypedResults.Json(new { ready = true })
        : throw new RpcException(new Status(StatusCode.Unavailable, "no replica takes work yet: try again in a moment"));

    /// <summary>The protocol's JSON has the names of its messages, and numbers as numbers.</summary>
    static async Task<IResult> AnswerAsync<T>(Task<T> answer)
        where T : IMessage => TypedResults.Content(ToJson(await answer).ToJsonString(), Json);

    static JsonObject ToJson(IMessage message) => new(message.Descriptor.Fields.InFieldNumberOrder().Select(field => KeyValuePair.Create(field.Name, Node(field.Accessor.GetValue(message)))));

    static JsonNode? Node(object value) => value switch
    {
        IMessage message => ToJson(message),
        RepeatedField<string> texts => new JsonArray([.. texts.Select(text => JsonValue.Create(text))]),
        RepeatedField<long> numbers => new JsonArray([.. numbers.Select(number => JsonValue.Create(number))]),
        System.Collections.IList list => new JsonArray([.. list.Cast<object>().Select(Node)]),
        _ => JsonValue.Create(value.ToString()),
    };

    static string Value(HttpContext http, string name) => http.Request.RouteValues[name] as string ?? "";

    static MethodDescriptor Rpc(string name) => GRPCInferenceService.Descriptor.FindMethodByName(name);
}
