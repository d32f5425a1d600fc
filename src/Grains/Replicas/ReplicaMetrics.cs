using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using IgptCluster.Contracts;
using IgptCluster.Engine;

namespace IgptCluster.Grains.Replicas;

/// <summary>
/// What the engines of this silo's replicas do, as instruments of the meter <see cref="MeterName"/>, each with tags <c>model</c>, <c>replica</c> and <c>device</c>. They are read
/// when somebody asks: no step waits for it. Any thread.
/// </summary>
public sealed class ReplicaMetrics : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string MeterName = "IgptCluster";

    readonly ConcurrentDictionary<ReplicaEngine, KeyValuePair<string, object?>[]> _engines = new();
    readonly Meter _meter;

    /// <summary>For the service container.</summary>
    /// <param name="meters">Makes meters.</param>
    public ReplicaMetrics(IMeterFactory meters)
    {
        ArgumentNullException.ThrowIfNull(meters);
        _meter = meters.Create(MeterName);
        Gauge("igpt.replica.waiting", "{sequence}", "Sequences that wait for a KV slot.", status => status.Waiting);
        Gauge("igpt.replica.running", "{sequence}", "Sequences that hold a KV slot.", status => status.Running);
        Gauge("igpt.replica.slots.used", "{slot}", "KV slots in use.", status => status.SlotsUsed);
        Gauge("igpt.replica.slots.total", "{slot}", "KV slots in all; 0 while weights are loaded.", status => status.SlotsTotal);
        Gauge("igpt.replica.tokens.in_flight", "{token}", "Tokens of all sequences in flight, computed and still to be computed.", status => status.TokensInFlight);
        Counter("igpt.replica.steps", "{step}", "Steps executed.", status => status.Steps);
        Counter("igpt.replica.tokens.computed", "{token}", "Tokens computed, prefilled and decoded.", status => status.ComputedTokens);
        Counter("igpt.replica.tokens.shared", "{token}", "Tokens whose keys and values were copied from another slot instead.", status => status.SharedTokens);
        Counter("igpt.replica.tokens.drafted", "{token}", "Tokens guessed before they were drawn.", status => status.DraftedTokens);
        Counter("igpt.replica.tokens.accepted", "{token}", "Of those, the ones that were right: each saved a step.", status => status.AcceptedTokens);
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    /// <summary>A replica has started.</summary>
    internal void Add(ReplicaId replica, ReplicaEngine engine) =>
        _engines[engine] = [new("model", replica.Model), new("replica", replica.Index), new("device", engine.Device)];

    /// <summary>It has stopped.</summary>
    internal void Remove(ReplicaEngine engine) => _engines.TryRemove(engine, out _);

    void Gauge(string name, string unit, string description, Func<EngineStatus, long> value) => _meter.CreateObservableGauge(name, () => Measure(value), unit, description);

    void Counter(string name, string unit, string description, Func<EngineStatus, long> value) => _meter.CreateObservableCounter(name, () => Measure(value), unit, description);

    IEnumerable<Measurement<long>> Measure(Func<EngineStatus, long> value) => _engines.Select(engine => new Measurement<long>(value(engine.Key.Loop.Status), engine.Value));
}
