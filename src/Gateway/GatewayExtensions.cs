using System.Net;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Images;
using IgptCluster.Gateway.Models;
using IgptCluster.Gateway.Services;
using IgptCluster.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace IgptCluster.Gateway;

/// <summary>Puts the gateway's endpoints into a process that is a silo.</summary>
public static class GatewayExtensions
{
    /// <summary>What gRPC puts before a message, and room for a message just too large to be told so.</summary>
    const long FrameBytes = 1 << 20;

    /// <summary>Registers the gateway's services and where it listens.</summary>
    /// <param name="builder">The process being built.</param>
    /// <param name="listen">Addresses and ports.</param>
    /// <exception cref="System.ComponentModel.DataAnnotations.ValidationException">A setting of the gateway or of sessions breaks its rule.</exception>
    public static WebApplicationBuilder AddIgptGateway(this WebApplicationBuilder builder, Hosting.ListenOptions listen)
    {
        IServiceCollection services = builder.Services;
        services.AddOptions<GatewayOptions>().BindConfiguration("Igpt:Gateway").ValidateDataAnnotations().ValidateOnStart();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<ModelDirectory>();
        services.AddSingleton<ReplicaCalls>();
        services.AddSingleton<ImageReader>();
        services.AddSingleton<GenerationPlanner>();
        services.AddSingleton<SessionStarts>();
        services.AddSingleton<GenerationRelay>();
        int maxRequestBytes = builder.Configuration.Read<GatewayOptions>("Igpt:Gateway").MaxRequestBytes;
        services.AddGrpc(options =>
        {
            options.Interceptors.Add<ErrorInterceptor>();
            options.Interceptors.Add<DrainInterceptor>();
            options.MaxReceiveMessageSize = maxRequestBytes;
        });
        services.AddGrpcReflection();
        services.AddIgptMetrics();
        services.AddGrpcHealthChecks().AddCheck<ReplicaReadiness>("replicas", tags: ["ready"]);
        services.Configure<Microsoft.Extensions.Diagnostics.HealthChecks.HealthCheckPublisherOptions>(options => options.Period = TimeSpan.FromSeconds(1));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Kestrel's own limit of 30 MB lies below gRPC's, which says what is wrong.
            kestrel.Limits.MaxRequestBodySize = maxRequestBytes + FrameBytes;
            kestrel.Listen(IPEndPoint.Parse(listen.Grpc), endpoint => endpoint.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPEndPoint.Parse(listen.Http), endpoint => endpoint.Protocols = HttpProtocols.Http1);
        });
        return builder;
    }

    /// <summary>Maps the gateway's endpoints.</summary>
    /// <param name="app">The process.</param>
    public static void MapIgptGateway(this WebApplication app)
    {
        app.MapGrpcService<ImageGptService>();
        app.MapGrpcService<SessionsService>();
        app.MapGrpcService<ModelsService>();
        app.MapGrpcService<ClusterService>();
        app.MapGrpcHealthChecksService();
        app.MapGrpcReflectionService();
        app.MapIgptOperations();
    }
}
