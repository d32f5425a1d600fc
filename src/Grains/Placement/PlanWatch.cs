using IgptCluster.Contracts;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Grains.Placement;

/// <summary>Keeps this silo's view of the <see cref="ClusterPlan"/> fresh.</summary>
/// <param name="grains">Reaches the plan.</param>
/// <param name="cluster">The view.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
public sealed partial class PlanWatch(IGrainFactory grains, ClusterView cluster, TimeProvider time, ILogger<PlanWatch> logger) : BackgroundService
{
    static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var tick = new PeriodicTimer(Interval, time);
        try
        {
            do
            {
                await LookAsync();
            }
            while (await tick.WaitForNextTickAsync(stoppingToken));
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The silo stops.
        }
    }

    /// <summary>Looks now, for who has just changed it.</summary>
    public async Task RefreshAsync() => cluster.Learn(await grains.GetGrain<IPlanGrain>(IPlanGrain.Key).GetAsync());

    async Task LookAsync()
    {
        try
        {
            if (cluster.Silos.Values.Any(silo => silo.Devices.Count > 0))
            {
                await RefreshAsync();
            }
        }
        catch (Exception failure)
        {
            // Its silo was lost, or the store is away: what was known holds on.
            LogOld(failure);
        }
    }

    [LoggerMessage(1301, LogLevel.Debug, "The cluster's plan cannot be read now")]
    partial void LogOld(Exception failure);
}
