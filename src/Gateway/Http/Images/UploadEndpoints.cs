using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Services;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Http.Images;

/// <summary>Image files as forms, as browsers and <c>curl -F</c> send them. Transcoding takes the same routes with JSON.</summary>
internal static class UploadEndpoints
{
    /// <summary>Maps them.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapUploads(this IEndpointRouteBuilder routes)
    {
        Map<ClassifyRequest, ClassifyResponse>(routes, nameof(ImageGptService.Classify), (request, image) => request.Images.Add(image), service => service.Classify);
        Map<EmbedRequest, EmbedResponse>(routes, nameof(ImageGptService.Embed), (request, image) => request.Images.Add(image), service => service.Embed);
        Map<ScoreRequest, ScoreResponse>(routes, nameof(ImageGptService.Score), (request, image) => request.Images.Add(image), service => service.Score);
    }

    static void Map<TRequest, TResponse>(IEndpointRouteBuilder routes, string rpc, Action<TRequest, ImageInput> take, Func<ImageGptService, UnaryServerMethod<TRequest, TResponse>> method)
        where TRequest : class, IMessage<TRequest>, new()
        where TResponse : class, IMessage<TResponse>
    {
        MethodDescriptor descriptor = ImageGpt.Descriptor.FindMethodByName(rpc);
        routes.MapPost($"/v1/{rpc.ToLowerInvariant()}", async (HttpContext http, ServiceCalls calls, ImageGptService service) =>
        {
            TRequest request = await FormMessages.ReadAsync(http.Request, "images", take);
            return TypedResults.Content(JsonMessages.Format(await calls.CallAsync(http, descriptor, request, method(service))), "application/json", System.Text.Encoding.UTF8);
        }).WithoutQuery().Accepts<IFormFile>(FormMessages.Multipart).ExcludeFromDescription(); // Described with the JSON of the route.
    }
}
