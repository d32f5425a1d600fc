using System.ComponentModel.DataAnnotations;
using System.Net;

namespace IgptCluster.Hosting;

/// <summary>Where this process answers clients. Section <c>Igpt:Listen</c>. Cleartext HTTP cannot tell both protocols apart on one port, hence two.</summary>
public sealed class ListenOptions : IValidatableObject
{
    /// <summary>Whether this process answers clients at all. Default true; a silo behind separate gateways sets false.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Address and port for gRPC (HTTP/2 cleartext, prior knowledge); port 0 picks a free one. Absent: 127.0.0.1:5081, or the next free port where this process joins others.</summary>
    public string Grpc { get; set; } = "127.0.0.1:5081";

    /// <summary>Address and port for HTTP/1.1: JSON, streams, gRPC-Web, health and metrics; port 0 picks a free one. Absent: 127.0.0.1:5080, or the next free port where this process joins others.</summary>
    public string Http { get; set; } = "127.0.0.1:5080";

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach ((string name, string value) in new[] { (nameof(Grpc), Grpc), (nameof(Http), Http) })
        {
            if (!IPEndPoint.TryParse(value, out _))
            {
                yield return new ValidationResult($"Igpt:Listen:{name} must be an IP address and port such as 127.0.0.1:5081; given '{value}'", [name]);
            }
        }
    }
}
