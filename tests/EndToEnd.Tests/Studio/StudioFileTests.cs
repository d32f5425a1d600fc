using System.IO.Compression;
using System.Net;
using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests.Studio;

/// <summary>How Studio's files are served, browser or not.</summary>
public sealed class StudioFileTests(SharedSilo silo) : IClassFixture<SharedSilo>
{
    const int MostBytes = 150_000;

    static readonly string Folder = Path.Combine(GoldenSet.RepositoryRoot(), "src", "Gateway", "wwwroot");

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryFile_IsServedWithItsPolicyCompressedAndOnce()
    {
        using var client = new HttpClient(new SocketsHttpHandler()) { BaseAddress = silo.Server.HttpAddress };
        string[] files = Directory.GetFiles(Folder, "*", SearchOption.AllDirectories);
        Assert.InRange(files.Sum(file => new FileInfo(file).Length), 1, MostBytes);
        foreach (string file in files)
        {
            string name = Path.GetRelativePath(Folder, file).Replace('\\', '/');
            string path = name == "index.html" ? "/" : $"/{name}";
            byte[] expected = await File.ReadAllBytesAsync(file, Cancelled);
            using HttpResponseMessage plain = await SendAsync(path);
            Assert.Equal(expected, await plain.Content.ReadAsByteArrayAsync(Cancelled));
            Assert.StartsWith("default-src 'self'", Assert.Single(plain.Headers.GetValues("Content-Security-Policy")), StringComparison.Ordinal);
            Assert.Equal("nosniff", Assert.Single(plain.Headers.GetValues("X-Content-Type-Options")));
            using HttpResponseMessage again = await SendAsync(path, ("If-None-Match", plain.Headers.ETag!.ToString()));
            Assert.Equal(HttpStatusCode.NotModified, again.StatusCode);
            using HttpResponseMessage compressed = await SendAsync(path, ("Accept-Encoding", "gzip, br"));
            Assert.Equal(["br"], compressed.Content.Headers.ContentEncoding);
            Assert.NotEqual(plain.Headers.ETag, compressed.Headers.ETag);
            using var unpacked = new MemoryStream();
            await using (var brotli = new BrotliStream(await compressed.Content.ReadAsStreamAsync(Cancelled), CompressionMode.Decompress))
            {
                await brotli.CopyToAsync(unpacked, Cancelled);
            }

            Assert.Equal(expected, unpacked.ToArray());
        }

        async Task<HttpResponseMessage> SendAsync(string path, params (string Name, string Value)[] headers)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            foreach ((string name, string value) in headers)
            {
                request.Headers.TryAddWithoutValidation(name, value);
            }

            HttpResponseMessage response = await client.SendAsync(request, Cancelled);
            Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.NotModified, $"{path}: {response.StatusCode}");
            return response;
        }
    }

    [Fact]
    public void Page_NamesNothingOfOthers()
    {
        foreach (string file in Directory.GetFiles(Folder, "*", SearchOption.AllDirectories))
        {
            string text = File.ReadAllText(file).Replace("http://www.w3.org/2000/svg", "", StringComparison.Ordinal);
            Assert.DoesNotMatch("https?://|//cdn|@import", text);
        }
    }
}
