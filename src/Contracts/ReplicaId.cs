using System.Globalization;

namespace IgptCluster.Contracts;

/// <summary>Names one replica: one model on one device. Also the key of its grain, <c>model/index</c>.</summary>
/// <param name="Model">Model name.</param>
/// <param name="Index">Which replica of the model, 0-based.</param>
[GenerateSerializer, Immutable, Alias("igpt.replica-id")]
public readonly record struct ReplicaId([property: Id(0)] string Model, [property: Id(1)] int Index)
{
    /// <summary>Reads a grain key.</summary>
    /// <param name="key">A key made by <see cref="ToString"/>.</param>
    /// <exception cref="FormatException">The key is not of the form <c>model/index</c>.</exception>
    public static ReplicaId Parse(string key)
    {
        int slash = key.LastIndexOf('/');
        return slash > 0 && int.TryParse(key.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int index)
            ? new ReplicaId(key[..slash], index)
            : throw new FormatException($"a replica's key is model/index, not '{key}'");
    }

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Model}/{Index}");
}
