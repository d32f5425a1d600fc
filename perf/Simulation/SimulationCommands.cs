using System.CommandLine;
using IgptCluster.CommandLine;

namespace IgptCluster.Simulation;

/// <summary>The command line.</summary>
internal static class SimulationCommands
{
    static readonly Option<string> Model = ChoiceOption.Create("--preset", "Size of the model:", "small", "small", "medium", "large");
    static readonly Option<int> Slots = NumberOption.Create("--slots", "KV slots of a device.", 32, 1, 4096);
    static readonly Option<int> Gateways = NumberOption.Create("--gateways", "Silos without devices, where requests come in.", 2, 1, 1000);
    static readonly Option<int> MaxWaiting = NumberOption.Create("--max-waiting", "Sequences that an engine lets wait.", 256, 0, 100_000);
    static readonly Option<double> HostPerToken = NumberOption.Create("--host-per-token", "What a device waits for its engine's thread, for each sequence of a step, µs.", 3.0, 0, 1e6);
    static readonly Option<double?> Dilation = NumberOption.CreateOptional("--dilation", "Seconds of this machine for each of the simulation. Default: as many as the load wants.", 1e-3, 1e6);
    static readonly Option<int> TopK = NumberOption.Create("--top-k", "Colours that sampling keeps; 0: all.", 0, 0, 512);
    static readonly Option<double> TopP = NumberOption.Create("--top-p", "Mass that sampling keeps.", 1.0, 0, 1);
    static readonly Option<double> Warm = NumberOption.Create("--warm", "Seconds of the simulation before a measurement.", 0.3, 0, 1e5);
    static readonly Option<double> Length = NumberOption.Create("--seconds", "Seconds of the simulation that are measured.", 1.0, 0.001, 1e5);
    static readonly Option<string?> Json = new("--json") { Description = "File for the results. Default: simulation-<command>.json." };
    static readonly Option<string?> Picture = new("--picture") { Description = "File for the picture, PNG. Default: simulation-<command>.png." };

    internal static RootCommand Root() => new("Simulates a cluster of GPU nodes: the real silos, grains, placement, scheduler and sampler over devices that take as long as a roofline says.")
    {
        Scaling(),
        Load(),
        Step(),
        Memory(),
        Guessing(),
    };

    static Command Scaling()
    {
        Option<int[]> silos = NumberOption.CreateMany("--silos", "Silos with a device; each number is a cluster of its own.", [1, 2, 4, 8], 1, 1000);
        Option<double> overcommit = NumberOption.Create("--overcommit", "Generations asked for at a time, for each KV slot.", 1.5, 0.001, 1000);
        return Described("scaling", "How throughput grows with silos, with more work than they can do.", [silos, overcommit], (settings, parsed) =>
            ScalingProgram.RunAsync(settings, parsed.GetRequiredValue(silos), parsed.GetValue(overcommit)));
    }

    static Command Load()
    {
        Option<int> silos = NumberOption.Create("--silos", "Silos with a device.", 8, 1, 1000);
        Option<double[]> shares = NumberOption.CreateMany("--shares", "Shares of what the devices can do; each is a cluster of its own.", [0.5, 0.8, 0.95, 1.2], 0.001, 1000);
        Option<double[]> clients = NumberOption.CreateMany("--clients", "What each client asks for, in relation to the others.", [1.0, 1, 2, 4], 0, 1e6);
        Option<double> classifications = NumberOption.Create("--classifications", "Share of the requests that are classifications.", 0.2, 0, 1);
        return Described("load", "Waiting, balance, fairness and shedding under requests at random times.", [silos, shares, clients, classifications], (settings, parsed) =>
            LoadProgram.RunAsync(settings, new LoadPlan(parsed.GetValue(silos), parsed.GetRequiredValue(shares), parsed.GetRequiredValue(clients), parsed.GetValue(classifications))));
    }

    static Command Step()
    {
        Option<int[]> sequences = NumberOption.CreateMany("--sequences", "Sequences that decode.", [32, 128, 256], 1, 100_000);
        return Described("step", "What the engine's thread does between two steps, in this machine's time.", [sequences], (settings, parsed) =>
            StepProgram.RunAsync(settings, parsed.GetRequiredValue(sequences)));
    }

    static Command Memory()
    {
        Option<int> silos = NumberOption.Create("--silos", "Silos with a device.", 1, 1, 1000);
        Option<int> sessions = NumberOption.Create("--sessions", "Sessions to park.", 10_000, 1, 100_000_000);
        Option<int> prompt = NumberOption.Create("--prompt", "Tokens that each is given.", 512, 0, 1023);
        Option<int> made = NumberOption.Create("--tokens", "Tokens that each makes before, at least.", 1, 1, 1024);
        return Described("memory", "What parked sessions take.", [silos, sessions, prompt, made], (settings, parsed) =>
            MemoryProgram.RunAsync(settings, new MemoryPlan(parsed.GetValue(silos), parsed.GetValue(sessions), parsed.GetValue(prompt), parsed.GetValue(made))));
    }

    static Command Guessing()
    {
        Option<int[]> sequences = NumberOption.CreateMany("--sequences", "Sequences that decode.", [1, 8, 32, 64, 128, 256], 1, 512);
        Option<double[]> shares = NumberOption.CreateMany("--shares", "How often a guess is right if those before it are.", [0.5, 0.8, 0.95], 0, 1);
        return Described("guessing", "What verifying guesses brings by batch, by a clock of its own.", [sequences, shares], (settings, parsed) =>
            GuessingProgram.RunAsync(settings, parsed.GetRequiredValue(sequences), parsed.GetRequiredValue(shares)));
    }

    static Command Described(string name, string what, Option[] own, Func<SimulationSettings, ParseResult, Task<int>> run)
    {
        var command = new Command(name, what);
        foreach (Option option in (Option[])[.. own, Model, Slots, Gateways, MaxWaiting, HostPerToken, Dilation, TopK, TopP, Warm, Length, Json, Picture])
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, _) => run(Settings(parsed, name), parsed));
        return command;
    }

    static SimulationSettings Settings(ParseResult parsed, string command) => new(
        parsed.GetRequiredValue(Model),
        parsed.GetValue(Slots),
        parsed.GetValue(Gateways),
        parsed.GetValue(MaxWaiting),
        TimeSpan.FromMicroseconds(parsed.GetValue(HostPerToken)),
        parsed.GetValue(Dilation),
        parsed.GetValue(TopK),
        parsed.GetValue(TopP),
        TimeSpan.FromSeconds(parsed.GetValue(Warm)),
        TimeSpan.FromSeconds(parsed.GetValue(Length)),
        parsed.GetValue(Json) ?? $"simulation-{command}.json",
        parsed.GetValue(Picture) ?? $"simulation-{command}.png");
}
