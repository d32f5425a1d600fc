namespace IgptCluster.Contracts;

/// <summary>Some of a session's sampling settings; null leaves one as it is.</summary>
/// <param name="Temperature">As <see cref="SamplingSettings.Temperature"/>.</param>
/// <param name="TopK">As <see cref="SamplingSettings.TopK"/>.</param>
/// <param name="TopP">As <see cref="SamplingSettings.TopP"/>.</param>
/// <param name="Seed">As <see cref="SamplingSettings.Seed"/>.</param>
[GenerateSerializer, Immutable, Alias("igpt.sampling-change")]
public readonly record struct SamplingChange(
    [property: Id(0)] double? Temperature, [property: Id(1)] int? TopK, [property: Id(2)] double? TopP, [property: Id(3)] ulong? Seed)
{
    /// <summary>The settings after the change.</summary>
    /// <param name="settings">Those before.</param>
    public SamplingSettings Apply(SamplingSettings settings) => settings with
    {
        Temperature = Temperature ?? settings.Temperature,
        TopK = TopK ?? settings.TopK,
        TopP = TopP ?? settings.TopP,
        Seed = Seed ?? settings.Seed,
    };
}
