using System.Net.Http.Headers;
using System.Text.Json;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Whatever is wrong with a request, its answer is a problem that says so.</summary>
public sealed class HttpErrorTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    static readonly string[] Shown = ["   at ", "Exception", "<html", "System."];

    [Theory]
    [InlineData("GET", "/v1/nothing", null, 404, "NOT_FOUND", "")]
    [InlineData("GET", "/nothing", null, 404, "NOT_FOUND", "")]
    [InlineData("GET", "/v1/classify", null, 405, "UNIMPLEMENTED", "")]
    [InlineData("GET", "/v1/generate", null, 405, "UNIMPLEMENTED", "")]
    [InlineData("DELETE", "/v1/sessions", null, 405, "UNIMPLEMENTED", "")]
    [InlineData("POST", "/v1/classify", "{", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/classify", "[]", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/classify", "null", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/classify", """{"image":[]}""", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/classify", """{"topK":-1}""", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/classify", """{"images":[{"encoded":"%%%"}]}""", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/classify", """{"images":[{"encoded":"AAAA"}]}""", 400, "INVALID_ARGUMENT", "images[0].encoded")]
    [InlineData("POST", "/v1/classify", """{"model":"tiny-random-classifier"}""", 400, "INVALID_ARGUMENT", "images")]
    [InlineData("POST", "/v1/generate", "{", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/generate", """{"sample":3}""", 400, "INVALID_ARGUMENT", "body")]
    [InlineData("POST", "/v1/generate", """{"samples":1000}""", 400, "INVALID_ARGUMENT", "samples")]
    [InlineData("POST", "/v1/generate", """{"sampling":{"topP":1.5}}""", 400, "INVALID_ARGUMENT", "sampling.top_p")]
    [InlineData("POST", "/v1/generate", """{"model":"nothing"}""", 404, "NOT_FOUND", "model")]
    [InlineData("POST", "/v1/score", """{"model":"tiny-random-classifier"}""", 400, "FAILED_PRECONDITION", "")]
    [InlineData("GET", "/v1/models/nothing", null, 404, "NOT_FOUND", "model")]
    [InlineData("GET", "/v1/sessions?limt=3", null, 400, "INVALID_ARGUMENT", "limt")]
    [InlineData("GET", "/v1/sessions?limit=many", null, 400, "INVALID_ARGUMENT", "limit")]
    [InlineData("GET", "/v1/sessions?limit=20000", null, 400, "INVALID_ARGUMENT", "limit")]
    [InlineData("GET", "/v1/sessions/zz", null, 404, "NOT_FOUND", "session_id")]
    [InlineData("GET", "/v1/sessions/zz/events", null, 404, "NOT_FOUND", "session_id")]
    [InlineData("GET", "/v1/sessions/zz/events?from=1", null, 400, "INVALID_ARGUMENT", "from")]
    [InlineData("POST", "/v1/cluster/silos/nobody/drain", null, 400, "INVALID_ARGUMENT", "silo")]
    [InlineData("PUT", "/v1/models/%0a%1b%5b31m", """{"source":"/nowhere"}""", 400, "INVALID_ARGUMENT", "model")]
    [InlineData("PUT", "/v1/models/a%2f..%2fb", """{"source":"/nowhere"}""", 400, "INVALID_ARGUMENT", "model")]
    [InlineData("GET", "/v1/models/a%2Fb", null, 400, "INVALID_ARGUMENT", "model")]
    [InlineData("DELETE", "/v1/models/a/heads/b%2fc", null, 400, "INVALID_ARGUMENT", "head")]
    [InlineData("GET", "/v1/sessions/a%2fb", null, 400, "INVALID_ARGUMENT", "session_id")]
    [InlineData("GET", "/v1/sessions/a%2fb.png", null, 400, "INVALID_ARGUMENT", "session_id")]
    [InlineData("POST", "/v1/cluster/silos/a%2fb/drain", null, 400, "INVALID_ARGUMENT", "silo")]
    [InlineData("GET", "/v2/models/a%2fb", null, 400, "INVALID_ARGUMENT", "model")]
    [InlineData("GET", "/v1/models/a%252fb", null, 404, "NOT_FOUND", "model")]
    [InlineData("POST", "/v1/generate?foo=1", "{}", 400, "INVALID_ARGUMENT", "foo")]
    [InlineData("POST", "/v1/classify?top_k=1", "{}", 400, "INVALID_ARGUMENT", "top_k")]
    [InlineData("POST", "/v1/sessions/zz/fork?at_position=1", "{}", 400, "INVALID_ARGUMENT", "at_position")]
    [InlineData("POST", "/v1/images/generations?foo=1", "{}", 400, "INVALID_ARGUMENT", "foo")]
    [InlineData("POST", "/v1/images/edits?foo=1", null, 400, "INVALID_ARGUMENT", "foo")]
    [InlineData("GET", "/v2?foo=1", null, 400, "INVALID_ARGUMENT", "foo")]
    [InlineData("POST", "/v2/models/imagegpt/infer?foo=1", "{}", 400, "INVALID_ARGUMENT", "foo")]
    public async Task Request_ThatBreaksARule_IsAProblem(string method, string path, string? json, int status, string code, string field)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement problem = await gateway.ProblemAsync(HttpGateway.Request(new HttpMethod(method), path, json), status, code);
        Assert.Equal(field, problem.TryGetProperty("field", out JsonElement named) ? named.GetString() : "");
        Assert.NotEmpty(problem.GetProperty("rule").GetString()!);
        Assert.All(Shown, word => Assert.DoesNotContain(word, problem.GetRawText(), StringComparison.Ordinal));
    }

    [Fact]
    public async Task Request_RuleWithValue_NamesBoth()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        JsonElement problem = await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", """{"promptTokens":5000,"prompt":{"tokens":{"ids":[1,2]}}}"""), 400, "INVALID_ARGUMENT");
        Assert.Equal(("prompt_tokens", "the prompt has 2 tokens", "5000 to keep"), (Text("field"), Text("rule"), Text("value")));

        string? Text(string name) => problem.GetProperty(name).GetString();
    }

    [Theory]
    [InlineData("/v1/sessions/zz/fork", """{"position":10}""", "there is no field 'position'; the nearest is 'atPosition'")]
    [InlineData("/v1/generate", """{"sampling":{"temprature":1}}""", "there is no field 'temprature'; the nearest is 'temperature'")]
    [InlineData("/v1/generate", """{"forced":[{"at":1}]}""", "there is no field 'at'")]
    public async Task Body_UnknownField_NamesTheNearestOfItsMessage(string path, string json, string words)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        Assert.EndsWith(words, (await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, path, json), 400, "INVALID_ARGUMENT")).GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/v1/classify")]
    [InlineData("/v1/generate")]
    public async Task Body_OfAnotherType_IsRefused(string path)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        foreach (string? type in new[] { "text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", null })
        {
            HttpRequestMessage request = HttpGateway.Request(HttpMethod.Post, path);
            request.Content = new ByteArrayContent("{}"u8.ToArray());
            request.Content.Headers.ContentType = type is null ? null : MediaTypeHeaderValue.Parse(type);
            Assert.Equal("content-type", (await gateway.ProblemAsync(request, 415, "INVALID_ARGUMENT")).GetProperty("field").GetString());
        }
    }

    [Theory]
    [InlineData("/v1/classify", true)]
    [InlineData("/v1/classify", false)]
    [InlineData("/v1/generate", false)]
    public async Task Body_ThatIsTooLarge_IsRefused(string path, bool tellsItsLength)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        HttpRequestMessage request = HttpGateway.Request(HttpMethod.Post, path, new string(' ', 34 << 20));
        request.Headers.TransferEncodingChunked = !tellsItsLength;
        request.Headers.ExpectContinue = true;
        await gateway.ProblemAsync(request, 413, "RESOURCE_EXHAUSTED");
    }

    [Fact]
    public async Task Accept_NothingThatIsWritten_IsRefused()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        Assert.Equal("accept", (await gateway.ProblemAsync(HttpGateway.Request(HttpMethod.Post, "/v1/generate", "{}", accept: "image/png"), 406, "INVALID_ARGUMENT")).GetProperty("field").GetString());
    }

    [Fact]
    public async Task Headers_ThatAreTooLarge_AreRefused()
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        HttpRequestMessage request = HttpGateway.Request(HttpMethod.Get, "/v1/models");
        request.Headers.Add("x-large", new string('a', 33_000));
        await gateway.ProblemAsync(request, 431, "INVALID_ARGUMENT");
    }

    [Theory]
    [InlineData("Host", "evil.example.com", "host")]
    [InlineData("Origin", "https://evil.example.com", "origin")]
    [InlineData("Sec-Fetch-Site", "cross-site", "origin")]
    public async Task Request_OfAForeignPage_IsRefused(string header, string value, string field)
    {
        using var gateway = new HttpGateway(silo.Server.HttpAddress!);
        foreach ((HttpMethod method, string path) in new[] { (HttpMethod.Get, "/v1/models"), (HttpMethod.Post, "/v1/generate"), (HttpMethod.Options, "/v1/generate"), (HttpMethod.Get, "/metrics"), (HttpMethod.Post, "/igpt.v1.Models/List") })
        {
            HttpRequestMessage request = HttpGateway.Request(method, path);
            request.Headers.TryAddWithoutValidation(header, value);
            Assert.Equal(field, (await gateway.ProblemAsync(request, 403, "PERMISSION_DENIED")).GetProperty("field").GetString());
        }
    }
}
