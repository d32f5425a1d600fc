using System.CommandLine;

namespace IgptCluster.Simulation;

/// <summary>The command line.</summary>
internal static class SimulationCommands
{
    static readonly Option<string> Model = Valued("--preset", "small", "Size of the model: small, medium or large.");
    static readonly Option<int> Slots = Valued("--slots", 32, "KV slots of a device.");
    static readonly Option<int> Gateways = Valued("--gateways", 2, "Silos without devices, where requests come in.");
    static readonly Option<int> MaxWaiting = Valued("--max-waiting", 256, "Sequences that an engine lets wait.");
    static readonly Option<double> HostPerToken = Valued("--host-per-token", 3.0, "What a device waits for its engine's thread, for each sequence of a step, µs.");
    static readonly Option<double?> Dilation = new("--dilation") { Description = "Seconds of this machine for each of the simulation. Default: as many as the load wants." };
    static readonly Option<int> TopK = Valued("--top-k", 0, "Colours that sampling keeps; 0: all.");
    static readonly Option<double> TopP = Valued("--top-p", 1.0, "Mass that sampling keeps.");
    static readonly Option<double> Warm = Valued("--warm", 0.3, "Seconds of the simulation before a measurement.");
    static readonly Option<double> Length = Valued("--seconds", 1.0, "Seconds of the simulation that are measured.");
    static readonly Option<string?> Json = new("--json") { Description = "File for the results. Default: simulation-<command>.json." };
    static readonly Option<string?> Picture = new("--picture") { Description = "File for the picture, PNG. Default: simulation-<command>.png." };

    internal static RootCommand Root() => new("Simulates a cluster of GPU nodes: the real silos, grains, placement, scheduler and sampler over devices that take as long as a roofline says.")
    {
        Scaling(),
        Load(),
        Step(),
        Memory(),
    };

    static Command Scaling()
    {
        Option<int[]> silos = Many("--silos", [1, 2, 4, 8], "Silos with a device; each number is a cluster of its own.");
        Option<double> overcommit = Valued("--overcommit", 1.5, "Generations asked for at a time, for each KV slot.");
        return Described("scaling", "How throughput grows with silos, with more work than they can do.", [silos, overcommit], (settings, parsed) =>
            ScalingProgram.RunAsync(settings, parsed.GetRequiredValue(silos), parsed.GetValue(overcommit)));
    }

    static Command Load()
    {
        Option<int> silos = Valued("--silos", 8, "Silos with a device.");
        Option<double[]> shares = Many("--shares", [0.5, 0.8, 0.95, 1.2], "Shares of what the devices can do; each is a cluster of its own.");
        Option<double[]> clients = Many("--clients", [1.0, 1, 2, 4], "What each client asks for, in relation to the others.");
        Option<double> classifications = Valued("--classifications", 0.2, "Share of the requests that are classifications.");
        return Described("load", "Waiting, balance, fairness and shedding under requests at random times.", [silos, shares, clients, classifications], (settings, parsed) =>
            LoadProgram.RunAsync(settings, new LoadPlan(parsed.GetValue(silos), parsed.GetRequiredValue(shares), parsed.GetRequiredValue(clients), parsed.GetValue(classifications))));
    }

    static Command Step()
    {
        Option<int[]> sequences = Many("--sequences", [32, 128, 256], "Sequences that decode.");
        return Described("step", "What the engine's thread does between two steps, in this machine's time.", [sequences], (settings, parsed) =>
            StepProgram.RunAsync(settings, parsed.GetRequiredValue(sequences)));
    }

    static Command Memory()
    {
        Option<int> silos = Valued("--silos", 1, "Silos with a device.");
        Option<int> sessions = Valued("--sessions", 10_000, "Sessions to park.");
        Option<int> prompt = Valued("--prompt", 512, "Tokens that each is given.");
        Option<int> made = Valued("--tokens", 1, "Tokens that each makes before, at least.");
        return Described("memory", "What parked sessions take.", [silos, sessions, prompt, made], (settings, parsed) =>
            MemoryProgram.RunAsync(settings, new MemoryPlan(parsed.GetValue(silos), parsed.GetValue(sessions), parsed.GetValue(prompt), parsed.GetValue(made))));
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

    static Option<T> Valued<T>(string name, T value, string description) => new(name) { Description = description, DefaultValueFactory = _ => value };

    static Option<T[]> Many<T>(string name, T[] values, string description) => new(name) { Description = description, DefaultValueFactory = _ => values, AllowMultipleArgumentsPerToken = true };
}
