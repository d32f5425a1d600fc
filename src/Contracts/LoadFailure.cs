namespace IgptCluster.Contracts;

/// <summary>Why the latest attempt to load a model failed; what was served before is served on.</summary>
/// <param name="Source">The folder it was to be loaded from.</param>
/// <param name="Message">What went wrong, and where.</param>
[GenerateSerializer, Immutable, Alias("igpt.load-failure")]
public sealed record LoadFailure([property: Id(0)] string Source, [property: Id(1)] string Message);
