namespace IgptCluster.Gateway.Generations;

/// <summary>How much of a sample a client has been told, through a stream that broke.</summary>
/// <param name="Position">Raster position behind the last token.</param>
/// <param name="Rewinds">How often the session had been rewound.</param>
/// <param name="IsFinished">Whether it has been told how the sample ended.</param>
internal readonly record struct ToldSample(int Position, int Rewinds = 0, bool IsFinished = false);
