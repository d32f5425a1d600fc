using Google.Api;
using Google.Protobuf.Reflection;
using IgptCluster.Gateway.Http.Problems;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Http.Streams;
using IgptCluster.Hosting;
using IgptCluster.Protocol;
using IgptCluster.Protocol.V1;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace IgptCluster.Gateway.Http.Description;

/// <summary>Describes the routes of rpcs, from their descriptors and the protos' comments: ASP.NET Core's description knows neither transcoding nor protobuf's JSON.</summary>
/// <param name="endpoints">The process's routes.</param>
internal sealed class RpcOperations(IEnumerable<EndpointDataSource> endpoints) : IOpenApiDocumentTransformer
{
    const string Json = "application/json";

    /// <inheritdoc/>
    public Task TransformAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new OpenApiInfo
        {
            Title = "IgptCluster",
            Version = Product.Version,
            Description = "A serving cluster for ImageGPT: classify, embed, score and generate images. Messages are those of the gRPC API in protobuf's JSON mapping.",
        };
        var schemas = new MessageSchemas(document);
        foreach (RouteEndpoint endpoint in endpoints.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is { } transcoded)
            {
                Add(document, endpoint, Operation(document, schemas, transcoded.MethodDescriptor, transcoded.HttpRule));
            }
            else if (endpoint.Metadata.GetMetadata<MethodDescriptor>() is { IsServerStreaming: true } stream)
            {
                Add(document, endpoint, Stream(document, schemas, stream));
            }
        }

        foreach (OpenApiOperation operation in document.Paths.Values.SelectMany(path => path.Operations ?? []).Select(operation => operation.Value))
        {
            operation.Responses ??= [];
            operation.Responses["default"] = new OpenApiResponse { Description = "A problem.", Content = Content(ProblemSchema(schemas), "application/problem+json") };
        }

        return Task.CompletedTask;
    }

    static void Add(OpenApiDocument document, RouteEndpoint endpoint, OpenApiOperation operation)
    {
        string path = $"/{endpoint.RoutePattern.RawText!.TrimStart('/')}";
        foreach (string method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods)
        {
            if (!document.Paths.TryGetValue(path, out IOpenApiPathItem? item))
            {
                document.Paths[path] = item = new OpenApiPathItem();
            }

            ((OpenApiPathItem)item).AddOperation(HttpMethod.Parse(method), operation);
        }
    }

    static OpenApiOperation Operation(OpenApiDocument document, MessageSchemas schemas, MethodDescriptor rpc, HttpRule rule)
    {
        OpenApiOperation operation = Operation(document, rpc);
        operation.Responses!["200"] = new OpenApiResponse { Description = ProtocolComments.Of(rpc.OutputType), Content = Content(schemas.Of(rpc.OutputType), Json) };
        string pattern = rule.PatternCase switch
        {
            HttpRule.PatternOneofCase.Get => rule.Get,
            HttpRule.PatternOneofCase.Put => rule.Put,
            HttpRule.PatternOneofCase.Post => rule.Post,
            HttpRule.PatternOneofCase.Patch => rule.Patch,
            _ => rule.Delete,
        };
        AddParameters(operation, schemas, rpc.InputType, pattern, hasQuery: rule.Body.Length == 0);
        if (rule.Body.Length > 0)
        {
            operation.RequestBody = Body(schemas, rpc.InputType);
        }

        return operation;
    }

    static OpenApiOperation Stream(OpenApiDocument document, MessageSchemas schemas, MethodDescriptor rpc)
    {
        bool hasBody = rpc == StreamEndpoints.GenerateRpc;
        OpenApiOperation operation = Operation(document, rpc);
        operation.Responses!["200"] = new OpenApiResponse { Description = "One message per event, or per line.", Content = Content(schemas.Of(rpc.OutputType), "text/event-stream", StreamFormats.JsonLines) };
        AddParameters(operation, schemas, rpc.InputType, "{session_id}", hasQuery: !hasBody);
        if (hasBody)
        {
            operation.RequestBody = Body(schemas, rpc.InputType);
        }

        if (rpc.OutputType == GenerateEvent.Descriptor)
        {
            operation.Responses["204"] = new OpenApiResponse { Description = "The client has been told of the end already." };
            operation.Parameters!.Add(new OpenApiParameter
            {
                Name = Streams.EventId.Header,
                In = ParameterLocation.Header,
                Description = "The id of the last event seen: the stream goes on behind it.",
                Schema = new OpenApiSchema { Type = JsonSchemaType.String },
            });
        }

        return operation;
    }

    static OpenApiOperation Operation(OpenApiDocument document, MethodDescriptor rpc)
    {
        string comment = ProtocolComments.Of(rpc);
        string service = rpc.Service.Name;
        document.Tags ??= new HashSet<OpenApiTag>();
        if (document.Tags.FirstOrDefault(tag => tag.Name == service) is not { } known)
        {
            document.Tags.Add(known = new OpenApiTag { Name = service });
        }

        known.Description = ProtocolComments.Of(rpc.Service);
        return new OpenApiOperation
        {
            OperationId = $"{service}_{rpc.Name}",
            Summary = comment.Split(". ", 2)[0].TrimEnd('.'),
            Description = comment,
            Tags = new HashSet<OpenApiTagReference> { new(service, document) },
            Parameters = [],
            Responses = [],
        };
    }

    static void AddParameters(OpenApiOperation operation, MessageSchemas schemas, MessageDescriptor message, string pattern, bool hasQuery)
    {
        foreach (string path in QueryFields.Paths(message, ""))
        {
            bool isInPath = pattern.Contains($"{{{path}}}", StringComparison.Ordinal);
            if (isInPath || hasQuery)
            {
                operation.Parameters!.Add(new OpenApiParameter
                {
                    Name = path,
                    In = isInPath ? ParameterLocation.Path : ParameterLocation.Query,
                    Required = isInPath,
                    Description = ProtocolComments.Of(QueryFields.FieldOf(message, path)),
                    Schema = schemas.Of(QueryFields.FieldOf(message, path)),
                });
            }
        }
    }

    /// <summary>JSON; where the message has images, a form as well.</summary>
    static OpenApiRequestBody Body(MessageSchemas schemas, MessageDescriptor message)
    {
        var body = new OpenApiRequestBody { Content = Content(schemas.Of(message), Json) };
        if (message.Fields.InDeclarationOrder().FirstOrDefault(field => field.FieldType == FieldType.Message && field.MessageType == ImageInput.Descriptor) is { } image)
        {
            var file = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary", Description = "An image file." };
            Dictionary<string, IOpenApiSchema> fields = QueryFields.Paths(message, "").Where(path => !path.StartsWith($"{image.Name}.", StringComparison.Ordinal))
                .ToDictionary(path => path, path => schemas.Of(QueryFields.FieldOf(message, path)));
            fields["image"] = image.IsRepeated ? new OpenApiSchema { Type = JsonSchemaType.Array, Items = file } : file;
            body.Content![FormMessages.Multipart] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.Object, Properties = fields } };
        }

        return body;
    }

    static Dictionary<string, OpenApiMediaType> Content(IOpenApiSchema schema, params string[] types) => types.ToDictionary(type => type, _ => new OpenApiMediaType { Schema = schema });

    static IOpenApiSchema ProblemSchema(MessageSchemas schemas) => schemas.Once(nameof(Problem), () => new OpenApiSchema
    {
        Type = JsonSchemaType.Object,
        Description = "RFC 9457 problem details.",
        Properties = Problem.Members.ToDictionary(
            member => member.Name,
            member => (IOpenApiSchema)new OpenApiSchema { Type = member.IsNumber ? JsonSchemaType.Integer : member.Name == Problem.Violations ? JsonSchemaType.Array : JsonSchemaType.String, Description = member.What }),
    });
}
