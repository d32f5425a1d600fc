using IgptCluster.Contracts;
using IgptCluster.Simulation.Cluster;
using IgptCluster.Simulation.Load;
using IgptCluster.Simulation.Reports;

namespace IgptCluster.Simulation;

/// <summary>What parked sessions take.</summary>
/// <param name="Silos">Silos with a device.</param>
/// <param name="Sessions">Parked sessions, of all silos.</param>
/// <param name="PromptTokens">Tokens that each was given.</param>
/// <param name="MadeTokens">Tokens that each had made before it was parked, on average.</param>
/// <param name="ManagedBytes">Growth of the managed heap for each session, garbage collected.</param>
/// <param name="ResidentBytes">Growth of the process for each session.</param>
/// <param name="Running">Generations that ran beside them afterwards.</param>
/// <param name="TokensPerSecond">Tokens that those made per second of the simulation.</param>
internal sealed record MemoryResult(int Silos, int Sessions, int PromptTokens, double MadeTokens, double ManagedBytes, double ResidentBytes, int Running, double TokensPerSecond);

/// <summary>Which sessions are parked.</summary>
internal sealed record MemoryPlan(int Silos, int Sessions, int PromptTokens, int MadeTokens);

/// <summary>Parks many sessions and measures what they take.</summary>
internal static class MemoryProgram
{
    static readonly TimeSpan TimeToLive = TimeSpan.FromDays(1);

    internal static async Task<int> RunAsync(SimulationSettings settings, MemoryPlan plan)
    {
        await using SimulatedCluster cluster = await SimulatedCluster.StartAsync(settings.Plan(plan.Silos));
        var mix = new RequestMix(cluster.Model, settings.Sampling, classifications: 0);

        // What the first ones bring about (code, connections, buffers) is not theirs.
        await ParkAsync(cluster, mix, plan, plan.Silos * settings.Slots, firstSeed: 0);
        (long managed, long resident) = Memory();
        long made = await ParkAsync(cluster, mix, plan, plan.Sessions, firstSeed: 1_000_000);
        (long managedAfter, long residentAfter) = Memory();
        (int running, double rate) = await RunBesideAsync(settings, cluster, mix);
        var result = new MemoryResult(
            plan.Silos, plan.Sessions, plan.PromptTokens, (double)made / plan.Sessions, (managedAfter - managed) / (double)plan.Sessions, (residentAfter - resident) / (double)plan.Sessions, running, rate);
        Console.WriteLine(
            $"{result.Sessions:N0} parked sessions on {result.Silos} silos, {result.PromptTokens} tokens given and {result.MadeTokens:N0} made each: {result.ManagedBytes / 1000:0.0} KB managed, {result.ResidentBytes / 1000:0.0} KB resident each; beside them {running:N0} run and make {rate:N0} tokens/s");
        await SimulationFiles.WriteAsync(settings.Json, result);
        return 0;
    }

    /// <summary>Starts sessions, as many at a time as there are KV slots, and pauses each once it has made its tokens. Returns how many all made.</summary>
    static async Task<long> ParkAsync(SimulatedCluster cluster, RequestMix mix, MemoryPlan plan, int count, int firstSeed)
    {
        long made = 0;
        var options = new ParallelOptions { MaxDegreeOfParallelism = cluster.Replicas.Count * cluster.Plan.Slots };
        await Parallel.ForAsync(0, count, options, async (number, stop) =>
        {
            SimulatedGateway gateway = cluster.Gateways[number % cluster.Gateways.Count];
            GenerationSpec spec = mix.Behind(plan.PromptTokens, new Random(firstSeed + number)) with { TimeToLive = TimeToLive };
            ISessionGrain session = gateway.Grains.GetGrain<ISessionGrain>(SessionId.New().ToString());
            await session.StartAsync(spec, await gateway.Models.ChooseReplicaAsync(spec.Model));
            await foreach (SessionUpdate update in session.ReadAsync(spec.Prompt.Length, cancellationToken: stop))
            {
                if (update.Position + update.Tokens.Length >= spec.Prompt.Length + plan.MadeTokens)
                {
                    break;
                }
            }

            SessionDescription parked = await session.PauseAsync();
            Interlocked.Add(ref made, parked.State == SessionStatus.Paused ? parked.Position - spec.Prompt.Length : throw new InvalidOperationException($"a session is {parked.State}, not paused"));
        });
        return made;
    }

    static async Task<(int Running, double TokensPerSecond)> RunBesideAsync(SimulationSettings settings, SimulatedCluster cluster, RequestMix mix)
    {
        using var stop = new CancellationTokenSource();
        var clients = new SimulatedClients(cluster, mix, count: 1, stop.Token);
        int running = cluster.Replicas.Count * settings.Slots;
        Task saturating = clients.SaturateAsync(running);
        PhaseResult phase = await Phase.MeasureAsync(cluster, clients, settings.Warm, settings.Length);
        await stop.CancelAsync();
        await saturating;
        return (running, phase.TokensPerSecond);
    }

    static (long Managed, long Resident) Memory()
    {
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        GC.WaitForPendingFinalizers();
        GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return (GC.GetTotalMemory(forceFullCollection: true), Environment.WorkingSet);
    }
}
