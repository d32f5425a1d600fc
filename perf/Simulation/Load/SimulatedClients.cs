using IgptCluster.Contracts;
using IgptCluster.Simulation.Cluster;

namespace IgptCluster.Simulation.Load;

/// <summary>Clients that ask the cluster as its gateways do: a replica from the directory of models, then a session, then its tokens to the end.</summary>
internal sealed class SimulatedClients
{
    static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(50);

    readonly SimulatedCluster _cluster;
    readonly RequestMix _mix;
    readonly CancellationToken _stop;
    readonly ClientMeter[] _meters;
    int _next;
    int _started;

    /// <param name="cluster">The cluster.</param>
    /// <param name="mix">What they ask for.</param>
    /// <param name="count">How many clients.</param>
    /// <param name="stop">Ends all they do.</param>
    internal SimulatedClients(SimulatedCluster cluster, RequestMix mix, int count, CancellationToken stop)
    {
        (_cluster, _mix, _stop) = (cluster, mix, stop);
        _meters = [.. Enumerable.Range(0, count).Select(_ => new ClientMeter())];
    }

    /// <summary>What each saw since the last <see cref="Restart"/>.</summary>
    internal IReadOnlyList<ClientMeter> Meters => Volatile.Read(ref _measured);

    ClientMeter[] _measured = [];

    /// <summary>Forgets what was seen so far.</summary>
    internal void Restart()
    {
        for (int client = 0; client < _meters.Length; client++)
        {
            Volatile.Write(ref _meters[client], new ClientMeter());
        }

        Volatile.Write(ref _measured, [.. _meters]);
    }

    /// <summary>Always as many generations at a time, however long they take.</summary>
    internal Task SaturateAsync(int generations) => Task.WhenAll(Enumerable.Range(0, generations).Select(seed => Task.Run(async () =>
    {
        var random = new Random(seed);
        await GenerateAsync(0, _mix.Remainder(random));
        while (!_stop.IsCancellationRequested)
        {
            await GenerateAsync(0, _mix.Generation(random));
        }
    })));

    /// <summary>Waits until so many generations have been queued: before, replicas lie idle for want of them.</summary>
    internal async Task StartedAsync(int generations)
    {
        using var tick = new PeriodicTimer(LookInterval);
        while (Volatile.Read(ref _started) < generations && await tick.WaitForNextTickAsync(_stop))
        {
        }
    }

    /// <summary>Requests at random times at given rates, whatever becomes of those before.</summary>
    /// <param name="client">Which client asks.</param>
    /// <param name="perSecond">Requests per second of the simulation.</param>
    internal async Task ArriveAsync(int client, double perSecond)
    {
        var random = new Random(client + 1000);
        var asked = new List<Task>();
        long started = _cluster.Plan.Time.GetTimestamp();
        for (var next = TimeSpan.Zero; !_stop.IsCancellationRequested; next += TimeSpan.FromSeconds(-Math.Log(1 - random.NextDouble()) / perSecond))
        {
            await _cluster.Plan.UntilAsync(started, next, _stop);
            bool isClassification = _mix.IsClassification(random);
            GenerationSpec generation = _mix.Generation(random);
            EvaluationSpec classification = RequestMix.Classification(random);
            asked.Add(Task.Run(() => isClassification ? ClassifyAsync(client, classification) : GenerateAsync(client, generation)));
            asked.RemoveAll(task => task.IsCompletedSuccessfully);
        }

        await Task.WhenAll(asked);
    }

    /// <summary>Generations that are under way already when the measurement begins.</summary>
    internal Task BeginAsync(int generations) => Task.WhenAll(Enumerable.Range(0, generations).Select(seed =>
        Task.Run(() => GenerateAsync(seed % _meters.Length, _mix.Remainder(new Random(seed))))));

    async Task ClassifyAsync(int client, EvaluationSpec spec)
    {
        SimulatedGateway gateway = Gateway();
        long started = _cluster.Plan.Time.GetTimestamp();
        Meter(client).Ask();
        await TellAsync(client, async () =>
        {
            ReplicaId replica = await gateway.Models.ChooseReplicaAsync(_cluster.Model);
            await gateway.Grains.GetGrain<IReplicaGrain>(replica.ToString()).EvaluateAsync(spec, _stop);
            Meter(client).Classify(_cluster.Plan.Time.GetElapsedTime(started));
        });
    }

    async Task GenerateAsync(int client, GenerationSpec spec)
    {
        SimulatedGateway gateway = Gateway();
        long last = _cluster.Plan.Time.GetTimestamp();
        bool isFirst = true;
        Meter(client).Ask();
        await TellAsync(client, async () =>
        {
            ISessionGrain session = gateway.Grains.GetGrain<ISessionGrain>(SessionId.New().ToString());
            await session.StartAsync(spec, await gateway.Models.ChooseReplicaAsync(spec.Model));
            Interlocked.Increment(ref _started);
            await foreach (SessionUpdate update in session.ReadAsync(spec.Prompt.Length, cancellationToken: _stop))
            {
                long now = _cluster.Plan.Time.GetTimestamp();
                ClientMeter meter = Meter(client);
                if (update.Tokens.Length > 0)
                {
                    (isFirst ? meter.FirstTokens : meter.Gaps).Add(_cluster.Plan.Time.GetElapsedTime(last, now));
                    (last, isFirst) = (now, false);
                    meter.Take(update.Tokens.Length);
                }

                if (update.Result is { End: SessionEnd.Completed })
                {
                    meter.Finish();
                }
            }
        });
    }

    async Task TellAsync(int client, Func<Task> ask)
    {
        try
        {
            await ask();
        }
        catch (Exception) when (_stop.IsCancellationRequested)
        {
            // The run is over.
        }
        catch (IgptException refused) when (refused.Code == IgptErrorCode.Overloaded)
        {
            Meter(client).Refuse();
        }
        catch (Exception failure) when (failure is IgptException or OrleansException or TimeoutException)
        {
            Meter(client).Fail();
            Console.Error.WriteLine($"a request failed: {failure.Message}");
        }
    }

    SimulatedGateway Gateway() => _cluster.Gateways[(int)((uint)Interlocked.Increment(ref _next) % (uint)_cluster.Gateways.Count)];

    ClientMeter Meter(int client) => Volatile.Read(ref _meters[client]);
}
