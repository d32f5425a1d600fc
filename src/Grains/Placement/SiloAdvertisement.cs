using Orleans.Runtime.MembershipService.SiloMetadata;

namespace IgptCluster.Grains.Placement;

/// <summary>What a silo tells the others about itself, carried as Orleans silo metadata.</summary>
/// <param name="Name">The silo's name.</param>
/// <param name="Devices">Devices it serves models on (<c>cpu</c>, <c>cuda:0</c>); none for a gateway.</param>
/// <param name="Models">Names of the models it has weights for; the first is the default model.</param>
public sealed record SiloAdvertisement(string Name, IReadOnlyList<string> Devices, IReadOnlyList<string> Models)
{
    const string NameKey = "igpt.name";
    const string DevicesKey = "igpt.devices";
    const string ModelsKey = "igpt.models";
    const char Separator = ';';

    /// <summary>The metadata to start a silo with.</summary>
    public Dictionary<string, string> ToMetadata() => new()
    {
        [NameKey] = Name,
        [DevicesKey] = string.Join(Separator, Devices),
        [ModelsKey] = string.Join(Separator, Models),
    };

    /// <summary>Reads another silo's metadata; one that is not ours, or not known yet, advertises nothing.</summary>
    /// <param name="metadata">Metadata from the membership.</param>
    public static SiloAdvertisement From(SiloMetadata metadata) => new(
        metadata.Metadata.GetValueOrDefault(NameKey, ""),
        List(metadata, DevicesKey),
        List(metadata, ModelsKey));

    /// <summary>Whether the silo can hold a replica of a model.</summary>
    /// <param name="model">Model name.</param>
    public bool Serves(string model) => Devices.Count > 0 && Models.Contains(model);

    static string[] List(SiloMetadata metadata, string key) =>
        metadata.Metadata.GetValueOrDefault(key, "").Split(Separator, StringSplitOptions.RemoveEmptyEntries);
}
