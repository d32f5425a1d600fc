using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using Microsoft.AspNetCore.Http.Features;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>Refuses names and ids in a path that have a '/': no name has one, and the server leaves <c>%2F</c> alone as it decodes a path, so that it would become a part of the name.</summary>
/// <param name="next">What answers the request.</param>
internal sealed class EncodedSlashes(RequestDelegate next)
{
    const string Slash = "%2F";

    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public Task InvokeAsync(HttpContext context)
    {
        // A '%' that is encoded itself, %252F, is decoded to the same text.
        if (context.Features.Get<IHttpRequestFeature>()?.RawTarget.Split('?')[0].Contains(Slash, StringComparison.OrdinalIgnoreCase) ?? false)
        {
            foreach ((string name, object? value) in context.Request.RouteValues)
            {
                string given = value as string ?? "";
                Require.That(
                    !given.Contains(Slash, StringComparison.OrdinalIgnoreCase),
                    name,
                    $"must be a name or id without '/'; given {Echo.Quoted(given.Replace(Slash, "/", StringComparison.OrdinalIgnoreCase))}: give it as the list of them shows it");
            }
        }

        return next(context);
    }
}
