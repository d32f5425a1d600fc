namespace IgptCluster.Parallel;

/// <summary>What to measure.</summary>
/// <param name="Model">Checkpoint folder with a language-model head; null for random weights.</param>
/// <param name="Preset">Size of the random weights.</param>
/// <param name="DType">Data type of weights and of keys and values.</param>
/// <param name="Pictures">Pictures to be guessed.</param>
/// <param name="Learned">Further pictures of the model that the table is counted from.</param>
/// <param name="Temperatures">Temperatures that pictures are drawn at.</param>
/// <param name="Sequences">Sequences at once.</param>
/// <param name="Tokens">Tokens each of them makes when speed is measured.</param>
/// <param name="Rounds">Rounds of each; medians are reported.</param>
/// <param name="Json">File for the results.</param>
/// <param name="Picture">File for the picture.</param>
internal sealed record ParallelSettings(
    string? Model, string Preset, string DType, int Pictures, int Learned, double[] Temperatures, int[] Sequences, int Tokens, int Rounds, string Json, string Picture);
