using IgptCluster.Grains.Replicas;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using OpenTelemetry.Metrics;

namespace IgptCluster.Gateway;

/// <summary>What operators and their machines ask a process for, on its HTTP port.</summary>
public static class OperationsExtensions
{
    static readonly string[] Meters = [ReplicaMetrics.MeterName, "Microsoft.Orleans", "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Runtime"];

    /// <summary>Collects metrics: of replicas, Orleans, requests and the runtime.</summary>
    /// <param name="services">The process's services.</param>
    public static IServiceCollection AddIgptMetrics(this IServiceCollection services)
    {
        services.AddOpenTelemetry().WithMetrics(metrics => metrics.AddMeter(Meters).AddPrometheusExporter());
        return services;
    }

    /// <summary>Maps what tells whether a process lives, whether it takes work, and what it does: <c>/healthz</c>, <c>/readyz</c>, <c>/metrics</c>.</summary>
    /// <param name="app">The process.</param>
    public static void MapIgptOperations(this WebApplication app)
    {
        app.MapHealthChecks("/healthz", new HealthCheckOptions { Predicate = _ => false });
        app.MapHealthChecks("/readyz", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready"), ResponseWriter = WriteAsync });
        app.MapPrometheusScrapingEndpoint("/metrics");
    }

    /// <summary>The state in the first line, and what is not ready in a line each.</summary>
    static Task WriteAsync(HttpContext context, HealthReport report)
    {
        IEnumerable<string> unready = report.Entries.Where(entry => entry.Value.Status != HealthStatus.Healthy)
            .Select(entry => $"{entry.Key}: {entry.Value.Description ?? entry.Value.Exception?.Message ?? "not ready"}");
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(string.Join('\n', unready.Prepend($"{report.Status}")));
    }
}
