using Google.Protobuf.Reflection;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>
/// Reads what JSON transcoding would read of a request before it does: transcoding passes over unknown fields and parameters and does not tell what is wrong with a body. Requests of other endpoints
/// pass.
/// </summary>
/// <param name="next">What answers the request.</param>
internal sealed class TranscodedRequests(RequestDelegate next)
{
    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    /// <exception cref="Contracts.IgptException">InvalidArgument.</exception>
    /// <exception cref="BadHttpRequestException">The body is of another type, or too large.</exception>
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.GetEndpoint()?.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is { } route)
        {
            MessageDescriptor message = route.MethodDescriptor.InputType;
            if (route.HttpRule.Body.Length == 0)
            {
                QueryFields.Read(context.Request.Query, message.Parser.ParseFrom([]));
            }
            else
            {
                QueryFields.RequireNone(context.Request.Query);
                byte[] json = await JsonMessages.ReadBytesAsync(context.Request);
                _ = JsonMessages.Parse(json, message);
                context.Request.ContentType = "application/json";
                context.Request.Body = new MemoryStream(json);
            }
        }

        await next(context);
    }
}
