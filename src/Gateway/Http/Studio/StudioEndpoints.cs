using System.Reflection;
using Microsoft.Net.Http.Headers;

namespace IgptCluster.Gateway.Http.Studio;

/// <summary>Serves Studio, the page at <c>/</c>. Its files lie in <c>wwwroot</c> and are part of this assembly, so that every process with a gateway has them.</summary>
internal static class StudioEndpoints
{
    /// <summary>What the page may do: load its own files and call this gateway, nothing else. Pictures that people bring are blobs.</summary>
    internal const string Policy = "default-src 'self'; img-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    const string Folder = "studio/";
    const string Page = "index.html";

    static readonly string[] Methods = [HttpMethods.Get, HttpMethods.Head];

    /// <summary>Maps a route for each file.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapStudio(this IEndpointRouteBuilder routes)
    {
        Assembly assembly = typeof(StudioEndpoints).Assembly;
        foreach (string resource in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)))
        {
            string name = resource[Folder.Length..];
            var file = new Lazy<StudioFile>(() =>
            {
                using Stream content = assembly.GetManifestResourceStream(resource)!;
                return new StudioFile(name, content);
            });
            routes.MapMethods(name == Page ? "/" : $"/{name}", Methods, (HttpContext http) => Answer(http, file.Value)).ExcludeFromDescription();
        }
    }

    static IResult Answer(HttpContext http, StudioFile file)
    {
        IHeaderDictionary headers = http.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";

        // Asked again each time, answered with 304 while it is the same: a page never runs with modules of another version.
        headers[HeaderNames.CacheControl] = "no-cache";
        return file.Answer(http);
    }
}
