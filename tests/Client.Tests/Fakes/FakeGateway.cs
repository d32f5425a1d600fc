using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Client.Tests.Fakes;

/// <summary>A real gRPC server on a free loopback port, in this process, that does what a <see cref="FakeCluster"/> is told to.</summary>
internal sealed class FakeGateway : IAsyncDisposable
{
    readonly WebApplication _app;

    FakeGateway(WebApplication app) => _app = app;

    internal Uri Address { get; private set; } = null!;

    internal static async Task<FakeGateway> StartAsync(FakeCluster cluster)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(cluster);
        builder.Services.AddGrpc();
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.Zero);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.Protocols = HttpProtocols.Http2));
        WebApplication app = builder.Build();
        app.MapGrpcService<FakeImageGpt>();
        app.MapGrpcService<FakeSessions>();
        app.MapGrpcService<FakeModels>();
        app.MapGrpcService<FakeClusterService>();
        await app.StartAsync();
        return new FakeGateway(app) { Address = new Uri(app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First()) };
    }

    /// <summary>The end of a connection as a killed process ends it.</summary>
    internal static void Tear(ServerCallContext context) =>
        context.GetHttpContext().Features.GetRequiredFeature<IConnectionLifetimeFeature>().Abort();

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}
