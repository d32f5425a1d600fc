using System.Security.Cryptography;
using System.Text.RegularExpressions;
using Microsoft.OpenApi;
using Scalar.AspNetCore;

namespace IgptCluster.Gateway.Http.Description;

/// <summary>The description of all routes: <c>/openapi/v1.json</c>, and a page that shows it, <c>/reference</c>.</summary>
internal static partial class DescriptionExtensions
{
    // Nothing of the page is fetched from elsewhere, whatever its script would like.
    const string Policy = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    /// <summary>Maps both.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapDescription(this IEndpointRouteBuilder routes)
    {
        routes.MapOpenApi("/openapi/{documentName}.json");
        routes.MapScalarApiReference("/reference", (options, http) =>
        {
            string nonce = RandomNumberGenerator.GetHexString(32);
            options.WithTitle("IgptCluster").WithOpenApiRoutePattern("/openapi/v1.json").WithNonce(nonce);
            options.DisableDefaultFonts().DisableTelemetry().DisableAgent().DisableMcp().HideDeveloperTools();
            http.Response.Headers.ContentSecurityPolicy = $"{Policy}; script-src 'self' 'nonce-{nonce}'";
        });
    }

    /// <summary>Describes a route that is no rpc's.</summary>
    /// <param name="route">The route.</param>
    /// <param name="id">A name that no other operation has.</param>
    /// <param name="tag">What it belongs to.</param>
    /// <param name="summary">What it answers.</param>
    /// <param name="type">The answer's type.</param>
    /// <param name="query">Its parameters.</param>
    public static RouteHandlerBuilder Describe(this RouteHandlerBuilder route, string id, string tag, string summary, string type, params (string Name, string What)[] query) =>
        route.WithName(id).WithTags(tag).WithSummary(summary).AddOpenApiOperationTransformer((operation, context, _) =>
        {
            operation.Responses = new OpenApiResponses { ["200"] = new OpenApiResponse { Description = summary, Content = new Dictionary<string, OpenApiMediaType> { [type] = new() } } };
            operation.Parameters ??= [];
            foreach (string name in Parameter().Matches(context.Description.RelativePath ?? "").Select(match => match.Groups["name"].Value).Where(name => operation.Parameters.All(known => known.Name != name)))
            {
                operation.Parameters.Add(new OpenApiParameter { Name = name, In = ParameterLocation.Path, Required = true, Schema = new OpenApiSchema { Type = JsonSchemaType.String } });
            }

            foreach ((string name, string what) in query)
            {
                operation.Parameters.Add(new OpenApiParameter { Name = name, In = ParameterLocation.Query, Description = what, Schema = new OpenApiSchema { Type = JsonSchemaType.Integer } });
            }

            return Task.CompletedTask;
        });

    [GeneratedRegex(@"\{(?<name>[a-z_]+)\}")]
    private static partial Regex Parameter();
}
