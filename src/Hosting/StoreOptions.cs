using System.ComponentModel.DataAnnotations;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>Where sessions are stored. Section <c>Igpt:Store</c>. Neither setting: nowhere, and they live as long as their silo.</summary>
public sealed class StoreOptions : IValidatableObject
{
    /// <summary>
    /// A Redis-compatible store, <c>HOST:PORT[,password=…]</c> as StackExchange.Redis reads it. The cluster's membership is kept there too. Default: none.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>A folder for the embedded store, which is started, or found running, by this process; for clusters of one machine. Default: none.</summary>
    public string Folder { get; set; } = "";

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Address.Length > 0 && Folder.Length > 0)
        {
            yield return new ValidationResult("Igpt:Store: give an address or a folder (--store or --data), not both", [nameof(Address)]);
        }

        string? broken = Address.Length > 0 ? Broken() : null;
        if (broken is not null)
        {
            yield return new ValidationResult($"Igpt:Store:Address must be HOST:PORT[,password=…]: {broken}", [nameof(Address)]);
        }
    }

    string? Broken()
    {
        try
        {
            return ConfigurationOptions.Parse(Address).EndPoints.Count > 0 ? null : "it names no host";
        }
        catch (ArgumentException failure)
        {
            return failure.Message;
        }
    }
}
