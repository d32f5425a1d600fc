namespace IgptCluster.Chaos;

/// <summary>What to run.</summary>
/// <param name="Minutes">How long faults happen; sessions under way then are let finish.</param>
/// <param name="Sessions">Sessions that stream at a time.</param>
/// <param name="Every">Seconds between faults; 0: none.</param>
/// <param name="Slots">KV slots of each silo.</param>
/// <param name="Tokens">Most tokens each session makes; 0: the whole image.</param>
/// <param name="Seed">Of the schedule and of all that is asked for.</param>
/// <param name="Folder">Where logs and the store's data go; null: a temporary folder, removed when all went well.</param>
internal sealed record ChaosSettings(string Model, double Minutes, int Sessions, int Silos, int Gateways, double Every, int Slots, int Tokens, int Seed, string[] Faults, string[] SiloOptions, string? Folder, string? Json);
