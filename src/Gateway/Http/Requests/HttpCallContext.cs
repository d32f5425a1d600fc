using Grpc.Core;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>A call that came over HTTP, as a service's methods see it.</summary>
/// <param name="http">The request.</param>
/// <param name="method">The rpc's full name.</param>
/// <param name="cancellationToken">The client is gone, or its answer is complete.</param>
internal sealed class HttpCallContext(HttpContext http, string method, CancellationToken cancellationToken) : ServerCallContext
{
    // Where ServerCallContextExtensions.GetHttpContext looks in contexts that are not gRPC's own.
    const string HttpContextKey = "__HttpContext";

    protected override string MethodCore => method;

    protected override string HostCore => http.Request.Host.Value ?? "";

    protected override string PeerCore => $"{http.Connection.RemoteIpAddress}:{http.Connection.RemotePort}";

    protected override DateTime DeadlineCore => DateTime.MaxValue;

    protected override Metadata RequestHeadersCore { get; } = Text(http.Request.Headers);

    protected override CancellationToken CancellationTokenCore => cancellationToken;

    protected override Metadata ResponseTrailersCore { get; } = [];

    protected override Status StatusCore { get; set; }

    protected override WriteOptions? WriteOptionsCore { get; set; }

    protected override AuthContext AuthContextCore { get; } = new(null, []);

    protected override IDictionary<object, object> UserStateCore { get; } = new Dictionary<object, object> { [HttpContextKey] = http };

    protected override ContextPropagationToken CreatePropagationTokenCore(ContextPropagationOptions? options) => throw new NotSupportedException();

    protected override Task WriteResponseHeadersAsyncCore(Metadata responseHeaders) => throw new NotSupportedException();

    static Metadata Text(IHeaderDictionary headers)
    {
        var metadata = new Metadata();
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in headers)
        {
            if (!name.EndsWith(Metadata.BinaryHeaderSuffix, StringComparison.OrdinalIgnoreCase))
            {
                metadata.Add(name, values.ToString());
            }
        }

        return metadata;
    }
}
