namespace IgptCluster.Engine.Requests;

/// <summary>One new pixel.</summary>
/// <param name="Position">Its raster position.</param>
/// <param name="Token">Its colour.</param>
public readonly record struct GeneratedToken(int Position, int Token);
