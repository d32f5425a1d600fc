using System.Net;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Http;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Gateway.Services;
using IgptCluster.Hosting.Settings;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace IgptCluster.Gateway;

/// <summary>Puts the gateway's endpoints into a process that is a silo.</summary>
public static class GatewayExtensions
{
    /// <summary>What gRPC puts before a message, and room for a message just too large to be told so.</summary>
    const long FrameBytes = 1 << 20;

    /// <summary>Reads and checks all settings of a process with a gateway, silo or not, together.</summary>
    /// <param name="builder">The process being built.</param>
    /// <param name="limits">What one request may ask for.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">Settings are unknown or break their rules: all are told, a line each.</exception>
    public static NodeSettings ReadSettings(this WebApplicationBuilder builder, out GatewayOptions limits)
    {
        GatewayOptions? read = null;
        NodeSettings settings = NodeSettings.Read(builder.Configuration, reader =>
        {
            read = reader.Read<GatewayOptions>("Igpt:Gateway");
            _ = reader.Read<Grains.Sessions.SessionOptions>("Igpt:Sessions");
            _ = reader.Read<Grains.Silos.DrainOptions>("Igpt:Drain");
        });
        limits = read!;
        return settings;
    }

    /// <summary>Registers the gateway's services and where it listens.</summary>
    /// <param name="builder">The process being built.</param>
    /// <param name="listen">Addresses and ports.</param>
    /// <param name="limits">What one request may ask for.</param>
    public static WebApplicationBuilder AddIgptGateway(this WebApplicationBuilder builder, Hosting.ListenOptions listen, GatewayOptions limits)
    {
        IServiceCollection services = builder.Services;
        services.AddSingleton(Microsoft.Extensions.Options.Options.Create(limits));
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<ModelDirectory>();
        services.AddSingleton<ReplicaCalls>();
        services.AddSingleton<ImageReader>();
        services.AddSingleton<GenerationPlanner>();
        services.AddSingleton<SessionStarts>();
        services.AddSingleton<GenerationRelay>();
        services.AddGrpc(options =>
        {
            options.Interceptors.Add<ErrorInterceptor>();
            options.Interceptors.Add<DrainInterceptor>();
            options.MaxReceiveMessageSize = limits.MaxRequestBytes;

            // Its endpoint takes every path of two segments, which would hide that a route like /v1/classify takes another method. UnreadableRequests answers such calls.
            options.IgnoreUnknownServices = true;
        }).AddJsonTranscoding(HttpExtensions.ConfigureTranscoding);
        services.AddIgptHttp(limits);
        services.AddGrpcReflection();
        services.AddIgptMetrics();
        services.AddGrpcHealthChecks().AddCheck<ReplicaReadiness>("replicas", tags: ["ready"]);
        services.Configure<Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckPublisherOptions>(options => options.Period = TimeSpan.FromSeconds(1));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Kestrel's own limit of 30 MB lies below gRPC's, which says what is wrong.
            kestrel.Limits.MaxRequestBodySize = limits.MaxRequestBytes + FrameBytes;

            // Beyond its own limits Kestrel closes the connection, with all other calls on it: UnreadableRequests refuses the call alone.
            kestrel.Limits.MaxRequestHeadersTotalSize = UnreadableRequests.ReadHeaderBytes;
            kestrel.Limits.Http2.MaxRequestHeaderFieldSize = UnreadableRequests.ReadHeaderBytes;
            kestrel.Limits.MaxRequestHeaderCount = UnreadableRequests.ReadHeaders;
            kestrel.Listen(IPEndPoint.Parse(listen.Grpc), endpoint => endpoint.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPEndPoint.Parse(listen.Http), endpoint => endpoint.Protocols = HttpProtocols.Http1);
        });
        return builder;
    }

    /// <summary>Maps the gateway's endpoints.</summary>
    /// <param name="app">The process.</param>
    public static void MapIgptGateway(this WebApplication app)
    {
        app.UseMiddleware<UnreadableRequests>();
        app.UseIgptHttp();
        app.MapGrpcService<ImageGptService>();
        app.MapGrpcService<SessionsService>();
        app.MapGrpcService<ModelsService>();
        app.MapGrpcService<ClusterService>();
        app.MapGrpcService<InferenceService>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        app.MapIgptHttp();
        app.MapIgptOperations();
    }
}
