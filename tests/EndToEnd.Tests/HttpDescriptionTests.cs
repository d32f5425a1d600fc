using System.Net;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>The description of all routes, and the page that shows it.</summary>
public sealed partial class HttpDescriptionTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Document_EveryRpc_IsDescribed()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        HashSet<string?> described = [.. Operations(await DocumentAsync(gateway)).Select(operation => operation.Value.GetProperty("operationId").GetString())];
        Assert.All(HttpRouteTests.Rpcs.Select(row => row.Data), rpc => Assert.Contains(string.Join('_', rpc.Split('.')[^2..]), described));
    }

    [Fact]
    public async Task Document_EveryOperation_IsARouteWithWords()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement document = await DocumentAsync(gateway);
        var ids = new HashSet<string>();
        foreach ((string path, string method, JsonElement operation) in Operations(document))
        {
            // Nothing takes this method, so that nothing is called: the answer names those that the route takes.
            using HttpResponseMessage response = await gateway.SendAsync(HttpGateway.Request(new HttpMethod("PROPFIND"), Parameter().Replace(path, "x")));
            Assert.True(response.StatusCode == HttpStatusCode.MethodNotAllowed && response.Content.Headers.Allow.Contains(method.ToUpperInvariant()), $"{method} {path} is described and no route");
            Assert.True(ids.Add(operation.GetProperty("operationId").GetString()!), $"{method} {path}: the operation's id is another's too");
            Assert.NotEmpty(operation.GetProperty("summary").GetString()!);
            Assert.NotEmpty(operation.GetProperty("tags")[0].GetString()!);
            Assert.True(operation.GetProperty("responses").TryGetProperty("default", out _));
            string[] named = operation.TryGetProperty("parameters", out JsonElement parameters) ? [.. parameters.EnumerateArray().Select(parameter => parameter.GetProperty("name").GetString()!)] : [];
            Assert.All(Parameter().Matches(path), parameter => Assert.Contains(parameter.Value.Trim('{', '}'), named));
        }
    }

    [Fact]
    public async Task Document_Messages_AreThoseOfTheProtocolWithItsComments()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement document = await DocumentAsync(gateway);
        JsonElement schemas = document.GetProperty("components").GetProperty("schemas");
        JsonElement seed = schemas.GetProperty("SamplingParameters").GetProperty("properties").GetProperty("seed");
        Assert.Equal(("string", "uint64"), (seed.GetProperty("type").GetString(), seed.GetProperty("format").GetString()));
        Assert.StartsWith("Seed of the counter-based generator", seed.GetProperty("description").GetString(), StringComparison.Ordinal);
        Assert.Contains("FINISH_REASON_LENGTH", schemas.GetProperty("FinishReason").GetProperty("enum").EnumerateArray().Select(value => value.GetString()));
        Assert.All(
            Reference().Matches(document.GetRawText()),
            reference => Assert.True(schemas.TryGetProperty(reference.Groups["name"].Value, out _), reference.Value));
    }

    [Fact]
    public async Task ReferencePage_Always_NeedsNothingFromElsewhere()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        using HttpResponseMessage response = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Get, "/reference"));
        string page = await response.Content.ReadAsStringAsync(Cancelled);
        Assert.Equal((HttpStatusCode.OK, "text/html"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.DoesNotMatch("(src|href|url)\\s*[=:]\\s*[\"']?(https?:)?//", page);
        string policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'", policy, StringComparison.Ordinal);
        Assert.DoesNotContain("http", policy, StringComparison.Ordinal);
        string[] scripts = [.. Script().Matches(page).Select(match => match.Groups["file"].Value)];
        Assert.NotEmpty(scripts);
        foreach (string script in scripts)
        {
            using HttpResponseMessage file = await gateway.SendAsync(HttpGateway.Request(HttpMethod.Get, $"/reference/{script}"));
            Assert.Equal(HttpStatusCode.OK, file.StatusCode);
        }
    }

    static Task<JsonElement> DocumentAsync(HttpGateway gateway) => gateway.JsonAsync(HttpMethod.Get, "/openapi/v1.json");

    static IEnumerable<(string Path, string Method, JsonElement Value)> Operations(JsonElement document) => document.GetProperty("paths").EnumerateObject()
        .SelectMany(path => path.Value.EnumerateObject().Select(operation => (path.Name, operation.Name, operation.Value)));

    [GeneratedRegex(@"\{[a-z_]+\}")]
    private static partial Regex Parameter();

    [GeneratedRegex("\"#/components/schemas/(?<name>[^\"]+)\"")]
    private static partial Regex Reference();

    [GeneratedRegex("<script[^>]* src=\"(?<file>[^\"]+)\"")]
    private static partial Regex Script();
}
