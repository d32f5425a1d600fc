using IgptCluster.Gateway.Http.Description;
using IgptCluster.Gateway.Http.Requests;
using Microsoft.OpenApi;

namespace IgptCluster.Gateway.Http.OpenAi;

/// <summary>The routes of OpenAI's images API.</summary>
internal static class OpenAiEndpoints
{
    const string Tag = "OpenAI images";

    /// <summary>Maps them.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapOpenAi(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/images/generations", (HttpContext http, OpenAiImages images) => images.GenerateAsync(http))
            .Describe("Images_Generate", Tag, "Images from nothing, by OpenAI's images API; the prompt must be empty", "application/json")
            .AddOpenApiOperationTransformer((operation, _, _) => AddBody(operation, "application/json"))
            .WithMetadata(new OpenAiErrors())
            .WithoutQuery();
        routes.MapPost("/v1/images/edits", (HttpContext http, OpenAiImages images) => images.EditAsync(http))
            .Describe("Images_Edit", Tag, "An image painted anew where a mask is transparent, by OpenAI's images API", "application/json")
            .AddOpenApiOperationTransformer((operation, _, _) => AddBody(operation, FormMessages.Multipart, "image", "mask"))
            .WithMetadata(new OpenAiErrors())
            .WithoutQuery();
    }

    static Task AddBody(OpenApiOperation operation, string type, params string[] files)
    {
        var fields = OpenAiFields.Known.ToDictionary(field => field.Name, field => (IOpenApiSchema)new OpenApiSchema { Type = field.Type, Description = field.What });
        foreach (string file in files)
        {
            fields[file] = new OpenApiSchema { Type = JsonSchemaType.String, Format = "binary", Description = "An image file." };
        }

        operation.RequestBody = new OpenApiRequestBody
        {
            Content = new Dictionary<string, OpenApiMediaType> { [type] = new() { Schema = new OpenApiSchema { Type = JsonSchemaType.Object, Properties = fields } } },
        };
        return Task.CompletedTask;
    }
}
