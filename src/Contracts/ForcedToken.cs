namespace IgptCluster.Contracts;

/// <summary>A pixel whose colour is given, whatever the model says.</summary>
/// <param name="Position">Raster position of the pixel, 0-based.</param>
/// <param name="Token">Colour token.</param>
[GenerateSerializer, Immutable, Alias("igpt.forced-token")]
public readonly record struct ForcedToken([property: Id(0)] int Position, [property: Id(1)] int Token);
