namespace IgptCluster.DeviceCheck.Engine;

/// <summary>What to measure of an engine in this process.</summary>
/// <param name="Folder">Checkpoint folder with a language-model head.</param>
/// <param name="Model">What it is, for the report.</param>
/// <param name="Device"><c>cpu</c> or <c>cuda</c>.</param>
/// <param name="Runner">On <c>cuda</c>: <c>own</c> for our own kernels, or <c>libtorch</c>.</param>
/// <param name="DType">Data type served: float32, bfloat16 or int8.</param>
/// <param name="KvDType">Data type of the KV cache.</param>
/// <param name="Sessions">Sequences at once.</param>
/// <param name="Positions">Mean positions to decode at.</param>
/// <param name="Tokens">Tokens that each sequence makes, 2 … 64.</param>
/// <param name="Rounds">Rounds; medians are reported.</param>
/// <param name="SoakSteps">Further steps, to see whether memory grows.</param>
internal sealed record EngineSettings(
    string Folder, string Model, string Device, string Runner, string DType, string KvDType, int[] Sessions, int[] Positions, int Tokens, int Rounds, int SoakSteps);
