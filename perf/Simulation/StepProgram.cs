using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Sampling;
using IgptCluster.Simulation.Cluster;
using IgptCluster.Simulation.Devices;
using IgptCluster.Simulation.Reports;
using Microsoft.Extensions.Logging.Abstractions;
using Spectre.Console;

namespace IgptCluster.Simulation;

/// <summary>What an engine's thread does between two steps in which all sequences decode.</summary>
/// <param name="Sequences">Sequences.</param>
/// <param name="TopK">Colours kept; 0: all.</param>
/// <param name="TopP">Mass kept.</param>
/// <param name="Steps">Steps measured.</param>
/// <param name="P50">Processor time of the thread: handing out, planning; ms.</param>
/// <param name="P99">Of the slowest in a hundred, ms.</param>
/// <param name="Device">What such a step costs on the simulated device, ms.</param>
internal sealed record StepResult(int Sequences, int TopK, double TopP, long Steps, double P50, double P99, double Device);

/// <summary>Measures one engine without grains, each sequence with a reader.</summary>
internal static class StepProgram
{
    const int Prompt = 16;
    const int WarmSteps = 300; // until the code is compiled for good
    static readonly (int TopK, double TopP)[] Filters = [(0, 1), (40, 1), (0, 0.9), (40, 0.9)];

    internal static async Task<int> RunAsync(SimulationSettings settings, int[] sequences)
    {
        var results = new List<StepResult>();
        foreach (int count in sequences)
        {
            foreach ((int topK, double topP) in Filters)
            {
                results.Add(await MeasureAsync(settings, count, topK, topP));
            }
        }

        Table table = SimulationTables.Titled("Engine thread between two steps").AddColumns("sequences", "top-k", "top-p", "steps", "p50 ms", "p99 ms", "µs per token", "device ms");
        foreach (StepResult one in results)
        {
            table.AddRow($"{one.Sequences}", $"{one.TopK}", $"{one.TopP}", $"{one.Steps}", $"{one.P50:0.000}", $"{one.P99:0.000}", $"{one.P50 * 1000 / one.Sequences:0.00}", $"{one.Device:0.00}");
        }

        AnsiConsole.Write(table);
        await SimulationFiles.WriteAsync(settings.Json, results);
        return 0;
    }

    static async Task<StepResult> MeasureAsync(SimulationSettings settings, int sequences, int topK, double topP)
    {
        // In this machine's time: a step waits as long as the device would.
        var device = new SimulatedModelRunner(settings.Roofline, sequences, TimeProvider.System, Thread.Sleep);
        var runner = new MeasuredRunner(device, hostPerToken: TimeSpan.Zero);
        await using var loop = new EngineLoop(new EngineOptions(), () => runner, TimeProvider.System, NullLogger.Instance);
        await loop.StartAsync();
        Task[] readers = [.. Enumerable.Range(0, sequences).Select(number => ReadAsync(Submit(loop, number, topK, topP)))];
        while (runner.Meter.Sums.Steps < WarmSteps)
        {
            await Task.Delay(10);
        }

        runner.Meter.Restart();
        await Task.WhenAll(readers);
        return new StepResult(
            sequences, topK, topP, runner.Meter.HostTimes.Count, runner.Meter.HostTimes.Percentile(50), runner.Meter.HostTimes.Percentile(99),
            settings.Roofline.Decode(sequences, loop.Shape.PositionCount / 2).Total.TotalMilliseconds);
    }

    static Generation Submit(EngineLoop loop, int number, int topK, double topP)
    {
        var random = new Random(number);
        var request = new GenerationRequest
        {
            Id = new SequenceId($"{number}"),
            Prompt = Enumerable.Range(0, Prompt).Select(_ => random.Next(512)).ToArray(),
            MaxNewTokens = loop.Shape.PositionCount - Prompt,
            Sampling = new SamplingParameters { TopK = topK, TopP = topP, Seed = (ulong)number },
        };
        return loop.TrySubmit(request, out Generation? stream) == SubmitOutcome.Accepted ? stream! : throw new InvalidOperationException("the engine takes no request");
    }

    static async Task ReadAsync(Generation generation)
    {
        while (await generation.Tokens.WaitToReadAsync())
        {
            while (generation.Tokens.TryRead(out _))
            {
            }
        }
    }
}
