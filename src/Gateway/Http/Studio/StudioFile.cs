using System.IO.Compression;
using System.Security.Cryptography;
using Microsoft.Net.Http.Headers;

namespace IgptCluster.Gateway.Http.Studio;

/// <summary>One file of Studio, as it is and compressed.</summary>
internal sealed class StudioFile
{
    static readonly Dictionary<string, string> Types = new()
    {
        [".html"] = "text/html; charset=utf-8",
        [".css"] = "text/css; charset=utf-8",
        [".js"] = "text/javascript; charset=utf-8",
        [".svg"] = "image/svg+xml",
    };

    readonly byte[] _plain;
    readonly byte[] _brotli;
    readonly string _hash;

    /// <summary>Reads a file and compresses it.</summary>
    /// <param name="name">Its path below the page.</param>
    /// <param name="content">Its bytes; not kept.</param>
    public StudioFile(string name, Stream content)
    {
        using var plain = new MemoryStream();
        content.CopyTo(plain);
        _plain = plain.ToArray();
        using var compressed = new MemoryStream();
        using (var brotli = new BrotliStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            brotli.Write(_plain);
        }

        _brotli = compressed.ToArray();
        _hash = Convert.ToHexStringLower(SHA256.HashData(_plain))[..16];
        Type = Types[Path.GetExtension(name)];
    }

    /// <summary>Its media type.</summary>
    public string Type { get; }

    /// <summary>The answer to a request for it: compressed where the client takes that, 304 where the client has it.</summary>
    /// <param name="http">The request.</param>
    public IResult Answer(HttpContext http)
    {
        bool isCompressed = http.Request.GetTypedHeaders().AcceptEncoding.Any(coding => coding.Value == "br" && coding.Quality != 0);
        http.Response.Headers.Vary = HeaderNames.AcceptEncoding;
        if (isCompressed)
        {
            http.Response.Headers.ContentEncoding = "br";
        }

        return TypedResults.Bytes(isCompressed ? _brotli : _plain, Type, entityTag: new EntityTagHeaderValue(isCompressed ? $"\"{_hash}-br\"" : $"\"{_hash}\""));
    }
}
