using System.Net;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Http.Problems;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace IgptCluster.Gateway.Http;

/// <summary>
/// Keeps web pages of others from driving a gateway through the browser of somebody who can reach it. A page whose name is pointed at this machine (DNS rebinding) calls it by that name; a page of another origin says so
/// in headers that it cannot change. gRPC's own requests cannot come from a page.
/// </summary>
/// <param name="next">What answers the request.</param>
/// <param name="options">Who may call.</param>
internal sealed class BrowserGuard(RequestDelegate next, IOptions<GatewayOptions> options)
{
    /// <summary>Any host or origin.</summary>
    internal const string Any = "*";

    static readonly StringSegment[] Loopback = ["localhost", "*.localhost", "127.0.0.1", "[::1]"];

    readonly List<string> _origins = options.Value.AllowedOrigins;
    readonly List<string> _hosts = options.Value.AllowedHosts;
    readonly StringSegment[] _names = [.. Loopback, .. options.Value.AllowedHosts.Select(host => new StringSegment(host))];

    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Request.ContentType is "application/grpc" or "application/grpc+proto")
        {
            return next(context);
        }

        return BrokenHost(context) is { } host ? Problem.WriteAsync(context, Problem.Of(StatusCodes.Status403Forbidden, host, "host"))
            : BrokenOrigin(context.Request) is { } origin ? Problem.WriteAsync(context, Problem.Of(StatusCodes.Status403Forbidden, origin, "origin"))
            : next(context);
    }

    string? BrokenHost(HttpContext context)
    {
        string host = context.Request.Host.Value ?? "";
        bool isGuarded = _hosts.Count > 0 || (context.Connection.LocalIpAddress is { } address && IPAddress.IsLoopback(address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address));
        return !isGuarded || host.Length == 0 || _hosts.Contains(Any) || HostString.MatchesAny(host, _names)
            ? null
            : $"host: must be localhost, 127.0.0.1, [::1] or one of Igpt:Gateway:AllowedHosts; given {Echo.Quoted(host)}: add the name to that setting if clients call this gateway by it";
    }

    string? BrokenOrigin(HttpRequest request)
    {
        string origin = request.Headers.Origin.ToString();
        if (_origins.Contains(Any) || (origin.Length > 0 && _origins.Contains(origin, StringComparer.OrdinalIgnoreCase)))
        {
            return null;
        }

        string site = request.Headers["Sec-Fetch-Site"].ToString();
        bool isForeign = site.Length > 0 ? site is not ("same-origin" or "none") : origin.Length > 0 && !IsOwn(origin, request.Host);
        return !isForeign || IsVisit(request)
            ? null
            : $"origin: must be this gateway's own or one of Igpt:Gateway:AllowedOrigins; given {Echo.Quoted(origin.Length > 0 ? origin : site)}: add the page's origin to that setting if it may call this gateway";
    }

    // TLS may end before this gateway: the scheme is not compared.
    static bool IsOwn(string origin, HostString host) => Uri.TryCreate(origin, UriKind.Absolute, out Uri? page) && string.Equals(page.Authority, host.Value, StringComparison.OrdinalIgnoreCase);

    /// <summary>Whether somebody follows a link to a page of this gateway: the page that holds the link learns nothing of it.</summary>
    static bool IsVisit(HttpRequest request) =>
        HttpMethods.IsGet(request.Method) && request.Headers["Sec-Fetch-Mode"] == "navigate" && request.Headers["Sec-Fetch-Dest"] == "document";
}
