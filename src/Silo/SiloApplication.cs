using System.ComponentModel.DataAnnotations;
using System.Net;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Gateway;
using IgptCluster.Grains;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using IgptCluster.Hosting;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Silo.Replicas;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using HttpProtocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols;

namespace IgptCluster.Silo;

/// <summary>A silo put together: grains, devices, and unless told otherwise the gateway.</summary>
/// <param name="app">The process's host.</param>
/// <param name="listen">Where it answers clients.</param>
/// <param name="store">The embedded store, disposed with it; null: none.</param>
internal sealed partial class SiloApplication(WebApplication app, ListenOptions listen, EmbeddedStore? store) : IAsyncDisposable
{
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(100);

    bool _isStarted;

    /// <summary>Where gRPC is answered; null without the gateway. Known once started.</summary>
    internal Uri? GrpcAddress => Addresses.Length > 0 ? new Uri(Addresses[0]) : null;

    /// <summary>Where HTTP/1.1 is answered; null without the gateway. Known once started.</summary>
    internal Uri? HttpAddress => Addresses.Length > 1 ? new Uri(Addresses[1]) : null;

    /// <summary>Cancelled when the process is told to stop, by a signal too.</summary>
    internal CancellationToken Stopping => app.Lifetime.ApplicationStopping;

    ClusterView Cluster => app.Services.GetRequiredService<ClusterView>();

    ILogger Logger => app.Services.GetRequiredService<ILogger<SiloApplication>>();

    string[] Addresses => listen.Enabled ? [.. app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses] : [];

    /// <summary>Builds the silo, and starts its embedded store where it has one.</summary>
    /// <param name="settings">Settings of the command line; they win over files and environment.</param>
    /// <exception cref="InvalidOperationException">The store cannot be started.</exception>
    /// <exception cref="ValidationException">A setting breaks its rule, or there is no model to serve.</exception>
    /// <exception cref="CheckpointException">A model's folder breaks a rule.</exception>
    internal static async Task<SiloApplication> BuildAsync(Dictionary<string, string?> settings)
    {
        WebApplicationBuilder builder = ServerBuilder.Create(settings);
        (ClusterOptions cluster, ListenOptions listen, StoreOptions stored, ReplicaOptions replicas) = builder.ReadSettings(out GatewayOptions limits);
        foreach (ServedCheckpoint model in replicas.Models.Count > 0 ? [] : BundledModels())
        {
            replicas.Models.Add(model);
        }

        string[] devices = CheckModels(replicas);
        PortCheck.Require(cluster, listen);

        // From here on something may have to be stopped again.
        EmbeddedStore? store = stored.EmbeddedFolder(cluster.ClusterId) is { } folder ? await EmbeddedStore.StartAsync(folder, isOwner: cluster.PrimaryPort is null, stored, builder.Configuration) : null;
        try
        {
            string? membership = stored.Membership();
            await (membership is null ? Task.CompletedTask : StoreExtensions.RequireAsync(membership));
            var advertisement = new SiloAdvertisement(cluster.SiloName(), devices, [.. replicas.Models.Select(model => model.ServedName)]);
            builder.UseOrleans(silo => silo.UseIgptClustering(cluster, membership).UseIgptStore(cluster.ClusterId, membership ?? store?.Address).AddIgptGrains(advertisement));
            builder.Services.AddSingleton(TimeProvider.System);
            builder.Services.AddSingleton<IReplicaHost>(services => new DeviceReplicaHost(
                replicas, advertisement, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILoggerFactory>()));

            return new SiloApplication(Listen(builder, listen, limits), listen, store);
        }
        catch
        {
            await (store?.DisposeAsync() ?? ValueTask.CompletedTask);
            throw;
        }
    }

    /// <summary>A broken folder and types that no runner has are told at once, not by the first request.</summary>
    /// <returns>The devices that models run on.</returns>
    static string[] CheckModels(ReplicaOptions replicas)
    {
        string[] devices = DeviceReplicaHost.Devices(replicas);
        foreach (ServedCheckpoint model in replicas.Models)
        {
            DeviceReplicaHost.Check(replicas, model, devices);
        }

        return devices;
    }

    /// <summary>The process's host: with the gateway, else with what operators ask for alone.</summary>
    static WebApplication Listen(WebApplicationBuilder builder, ListenOptions listen, GatewayOptions limits)
    {
        if (!listen.Enabled)
        {
            builder.Services.AddIgptMetrics().AddHealthChecks().AddCheck<SiloReadiness>("replicas", tags: ["ready"]);
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPEndPoint.Parse(listen.Http), endpoint => endpoint.Protocols = HttpProtocols.Http1));
            WebApplication silo = builder.Build();
            silo.MapIgptOperations();
            return silo;
        }

        builder.AddIgptGateway(listen, limits);
        WebApplication app = builder.Build();
        app.MapIgptGateway();
        return app;
    }

    /// <summary>Starts the silo and its replicas.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Names of the models whose replicas are being started: those of the settings without those that the cluster was told to unload.</returns>
    /// <exception cref="OperationCanceledException">The process was told to stop first.</exception>
    internal async Task<IReadOnlyList<string>> StartAsync(CancellationToken cancellationToken)
    {
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, store?.Interrupted ?? default);
        await app.StartAsync(interrupted.Token);
        _isStarted = true;
        IReadOnlyList<string> models = app.Services.GetRequiredService<IReplicaHost>().Advertisement.Models;
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Stopping);
        bool[] areServed = await Task.WhenAll(models.Select(model => AskAsync(model, ended.Token)));
        return [.. models.Where((_, i) => areServed[i])];
    }

    /// <summary>Asks for a model's replicas, which starts them. The membership may take a moment to show this silo and what it advertises.</summary>
    /// <returns>False if the cluster was told to unload it.</returns>
    async Task<bool> AskAsync(string model, CancellationToken cancellationToken)
    {
        IModelGrain grain = app.Services.GetRequiredService<IGrainFactory>().GetGrain<IModelGrain>(model);
        using var tick = new PeriodicTimer(LookInterval);
        while (true)
        {
            try
            {
                await app.Services.GetRequiredService<PlanWatch>().RefreshAsync();
                if (!Cluster.Deployment(model).IsServed)
                {
                    LogNotServed(Logger, model);
                    return false;
                }

                await grain.GetReplicasAsync();
                return true;
            }
            catch (Exception exception) when (exception is OrleansException or TimeoutException or IgptException { Code: IgptErrorCode.ModelNotFound or IgptErrorCode.NoReplica })
            {
                await tick.WaitForNextTickAsync(cancellationToken);
            }
        }
    }

    /// <summary>Waits until every given model has a replica on this silo that takes work; what other silos have does not matter.</summary>
    /// <param name="models">Model names.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>Those that are served here: what the cluster was told at run time and cannot be done is logged, and stops no silo.</returns>
    /// <exception cref="OperationCanceledException">The process was told to stop first.</exception>
    /// <exception cref="IgptException">A replica of this silo could not load its weights, which are those of the silo's settings.</exception>
    internal async Task<IReadOnlyList<string>> WaitUntilReadyAsync(IReadOnlyList<string> models, CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Stopping);
        var ready = new List<string>();
        foreach (string model in models)
        {
            if (await WaitUntilReadyAsync(model, ended.Token))
            {
                ready.Add(model);
            }
        }

        return ready;
    }

    async Task<bool> WaitUntilReadyAsync(string model, CancellationToken cancellationToken)
    {
        IModelGrain grain = app.Services.GetRequiredService<IGrainFactory>().GetGrain<IModelGrain>(model);
        string name = app.Services.GetRequiredService<IReplicaHost>().Advertisement.Name;
        using var tick = new PeriodicTimer(LookInterval);
        while (Cluster.Deployment(model).IsServed)
        {
            ReplicaStatus[] replicas = [];
            try
            {
                replicas = [.. (await grain.GetReplicasAsync()).Where(replica => replica.Silo == name)];
            }
            catch (Exception failure) when (failure is OrleansException or TimeoutException or IgptException { Code: IgptErrorCode.ModelNotFound or IgptErrorCode.NoReplica })
            {
                // It is being unloaded, or its grain moves.
            }

            if (replicas.Any(replica => replica.State == ReplicaState.Ready))
            {
                return true;
            }

            if (replicas.FirstOrDefault(replica => replica.State == ReplicaState.Faulted) is { } faulted)
            {
                if (!Cluster.Plan.Models.ContainsKey(model))
                {
                    throw new IgptException(IgptErrorCode.NoReplica, $"replica {faulted.Id} could not start: {faulted.Message}");
                }

                if (!Cluster.Deployment(model).IsOnTrial)
                {
                    LogNotLoaded(Logger, model, PrintableText.Escape(Cluster.Deployment(model).Source), PrintableText.Escape(faulted.Message));
                    return false;
                }

                // What was served before it was tried comes back.
            }

            await tick.WaitForNextTickAsync(cancellationToken);
        }

        LogNotServed(Logger, model);
        return false;
    }

    /// <summary>Serves until the process is told to stop.</summary>
    internal Task WaitForShutdownAsync() => app.WaitForShutdownAsync();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // Whoever starts a store ends it, whatever becomes of the rest.
        await using EmbeddedStore? last = store;
        await using WebApplication host = app;

        // What has not started cannot stop: it would hide why.
        await (_isStarted ? host.StopAsync() : Task.CompletedTask);
    }

    static ServedCheckpoint[] BundledModels()
    {
        string assets = Path.Combine(AppContext.BaseDirectory, "assets", "models");
        string[] folders = Directory.Exists(assets) ? [.. Directory.EnumerateDirectories(assets).Where(IsCheckpoint).Order()] : [];
        return folders.Length > 0
            ? [.. folders.Select(folder => new ServedCheckpoint { Path = folder })]
            : throw new ValidationException($"no bundled model in '{assets}': give --model PATH or NAME=PATH");

        // A build leaves the emptied folders of models that are no longer bundled.
        static bool IsCheckpoint(string folder) => File.Exists(Path.Combine(folder, "config.json"));
    }
}
