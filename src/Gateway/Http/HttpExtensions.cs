using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Http.Description;
using IgptCluster.Gateway.Http.Images;
using IgptCluster.Gateway.Http.Inference;
using IgptCluster.Gateway.Http.OpenAi;
using IgptCluster.Gateway.Http.Problems;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Http.Streams;
using IgptCluster.Gateway.Http.Studio;
using IgptCluster.Gateway.Inference;
using IgptCluster.Gateway.Services;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace IgptCluster.Gateway.Http;

/// <summary>What the gateway answers to clients that speak HTTP and JSON. It calls the services that gRPC's calls reach.</summary>
internal static class HttpExtensions
{
    static readonly string[] ReadableHeaders = ["grpc-status", "grpc-message", "grpc-status-details-bin", "retry-after", "etag", "location"];

    /// <summary>Registers it.</summary>
    /// <param name="services">The process's services.</param>
    /// <param name="limits">Whose pages may call.</param>
    public static IServiceCollection AddIgptHttp(this IServiceCollection services, GatewayOptions limits)
    {
        // Created once, and the same for gRPC's calls.
        services.AddSingleton<ErrorInterceptor>().AddSingleton<DrainInterceptor>();
        services.AddSingleton<ImageGptService>().AddSingleton<SessionsService>().AddSingleton<ModelsService>().AddSingleton<ClusterService>();

        // A form's fields are small; its files are bounded by the request.
        services.Configure<Microsoft.AspNetCore.Http.Features.FormOptions>(options => options.MultipartBodyLengthLimit = limits.MaxRequestBytes);
        services.AddOpenApi("v1", options => options.AddDocumentTransformer<RpcOperations>());
        services.AddSingleton<ServiceCalls>().AddSingleton<StreamResults>().AddSingleton<OpenAiImages>();
        services.AddSingleton<InferenceTasks>().AddSingleton<InferenceService>();
        services.AddCors(cors => cors.AddDefaultPolicy(policy => Allow(policy, limits.AllowedOrigins)));
        return services;
    }

    /// <summary>JSON in protobuf's canonical mapping; statuses keep their details.</summary>
    /// <param name="options">Transcoding's options.</param>
    public static void ConfigureTranscoding(GrpcJsonTranscodingOptions options)
    {
        options.JsonSettings.WriteInt64sAsStrings = true;
        options.TypeRegistry = ProblemResponses.Details;
    }

    /// <summary>Puts what every HTTP request passes before its endpoint.</summary>
    /// <param name="app">The process.</param>
    public static void UseIgptHttp(this WebApplication app)
    {
        app.UseMiddleware<BrowserGuard>();
        app.UseMiddleware<ProblemResponses>();
        app.UseCors();
        app.UseGrpcWeb(new GrpcWebOptions { DefaultEnabled = true });
        app.UseMiddleware<EncodedSlashes>();
        app.UseMiddleware<TranscodedRequests>();
    }

    /// <summary>Maps the endpoints that no rpc's annotation maps.</summary>
    /// <param name="app">The process.</param>
    public static void MapIgptHttp(this WebApplication app)
    {
        app.MapStreams();
        app.MapUploads();
        app.MapPictures();
        app.MapOpenAi();
        app.MapInference();
        app.MapDescription();
        app.MapStudio();
    }

    static void Allow(CorsPolicyBuilder policy, List<string> origins)
    {
        if (origins.Count > 0)
        {
            policy.AllowAnyHeader().AllowAnyMethod().WithExposedHeaders(ReadableHeaders);
            _ = origins.Contains(BrowserGuard.Any) ? policy.AllowAnyOrigin() : policy.WithOrigins([.. origins]);
        }
    }
}
