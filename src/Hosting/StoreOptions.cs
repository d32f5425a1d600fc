using System.ComponentModel.DataAnnotations;
using IgptCluster.Files;
using StackExchange.Redis;

namespace IgptCluster.Hosting;

/// <summary>
/// Where sessions, loaded models and put heads are stored. Section <c>Igpt:Store</c>. Neither address nor folder: in an embedded store in a folder of the user's. All processes
/// of a cluster must have the same setting.
/// </summary>
public sealed class StoreOptions : IValidatableObject
{
    /// <summary>What a password in <see cref="Address"/> follows.</summary>
    internal const string PasswordPart = ",password=";

    const int MaxPasswordBytes = 64 << 10;

    /// <summary>
    /// A Redis-compatible store, <c>HOST:PORT[,password=…]</c> as StackExchange.Redis reads it. The cluster's membership is kept there too. Default: none.
    /// </summary>
    public string Address { get; set; } = "";

    /// <summary>A file whose one line is the password of <see cref="Address"/>: neither process list nor configuration shows it. Default: none.</summary>
    public string PasswordFile { get; set; } = "";

    /// <summary>
    /// A folder for the embedded store, which is started, or found running, by this process; for clusters of one machine. Default: one for the cluster's id in the user's local
    /// application data (<c>~/.local/share/igpt/ID</c>).
    /// </summary>
    public string Folder { get; set; } = "";

    /// <summary>Whether anything is stored. Default true; false: sessions, loaded models and put heads live as long as the processes that hold them.</summary>
    public bool Enabled { get; set; } = true;

    /// <summary>Memory that the embedded store has for records, MB; the process takes some 300 MB beside it. What it has no room for is on the disk. Default 128: enough for those in use.</summary>
    [Range(16, 1 << 20)]
    public int Memory { get; set; } = 128;

    /// <summary>
    /// Disk that the embedded store's folder may take, MB. Before that new sessions and heads are refused (RESOURCE_EXHAUSTED), at last every write; nothing is dropped. Default 16384: some
    /// three million finished sessions.
    /// </summary>
    [Range(256, 1 << 30)]
    public int MaxDisk { get; set; } = 16_384;

    /// <summary>The address of the store that keeps the cluster's membership, with its password, as StackExchange.Redis reads it; null where there is none.</summary>
    /// <exception cref="ValidationException">The password's file cannot be read, or breaks the rule.</exception>
    public string? Membership()
    {
        if (Address.Length == 0 || PasswordFile.Length == 0)
        {
            return Address.Length > 0 ? Address : null;
        }

        try
        {
            string password = UserFile.ReadText(PasswordFile, MaxPasswordBytes).TrimEnd('\r', '\n');
            return password.Length > 0 && !password.AsSpan().ContainsAny(",\r\n")
                ? $"{Address},password={password}"
                : throw new ValidationException($"Igpt:Store:PasswordFile: {PasswordFile} must hold one line, the password, without a comma");
        }
        catch (UserFileException failure)
        {
            throw new ValidationException($"Igpt:Store:PasswordFile: {failure.Message}", failure);
        }
    }

    /// <summary>The embedded store's folder; null where there is none.</summary>
    /// <param name="clusterId">The cluster's id.</param>
    /// <exception cref="ValidationException">No folder is given, and the user has none.</exception>
    public string? EmbeddedFolder(string clusterId)
    {
        if (!Enabled || Address.Length > 0 || Folder.Length > 0)
        {
            return Folder.Length > 0 ? Folder : null;
        }

        // Without verification: a user's first program that keeps something makes ~/.local/share.
        string user = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify);
        return user.Length > 0
            ? Path.Combine(user, "igpt", clusterId)
            : throw new ValidationException("Igpt:Store: there is no home folder to keep sessions in: name a folder (--data FOLDER), a store (--store HOST:PORT), or keep nothing (--no-store)");
    }

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Address.Length > 0 && Folder.Length > 0)
        {
            yield return new ValidationResult("Igpt:Store: give an address or a folder (--store or --data), not both", [nameof(Address)]);
        }

        if (!Enabled && (Address.Length > 0 || Folder.Length > 0))
        {
            yield return new ValidationResult("Igpt:Store: nothing is to be stored (--no-store), and a place for it is given (--store or --data): give one of them", [nameof(Enabled)]);
        }

        if (PasswordFile.Length > 0 && (Address.Length == 0 || Address.Contains(PasswordPart, StringComparison.OrdinalIgnoreCase)))
        {
            yield return new ValidationResult("Igpt:Store:PasswordFile is the password of Igpt:Store:Address (--store HOST:PORT), which must be given without one", [nameof(PasswordFile)]);
        }

        string? broken = Address.Length > 0 ? Broken() : null;
        if (broken is not null)
        {
            yield return new ValidationResult($"Igpt:Store:Address must be HOST:PORT[,password=…]: {broken}", [nameof(Address)]);
        }
    }

    // Without the value: it may hold a password.
    string? Broken()
    {
        if (Address.Contains("://", StringComparison.Ordinal))
        {
            return "a URL such as redis://… is not understood; write redis://:SECRET@HOST:PORT as HOST:PORT,password=SECRET, and rediss:// with ,ssl=true";
        }

        if (Address.Split(',')[0].Contains('@', StringComparison.Ordinal))
        {
            return "a host has no '@': write the password as ,password=SECRET after the port";
        }

        try
        {
            return ConfigurationOptions.Parse(Address).EndPoints.Count > 0 ? null : "it names no host";
        }
        catch (ArgumentException)
        {
            return "one of its parts is not understood, whose value is not told since it may be a secret";
        }
    }
}
