using System.Globalization;

namespace IgptCluster.Store.Integrity;

/// <summary>What was acknowledged: written each second, after a test write.</summary>
/// <param name="Number">The test write's number.</param>
/// <param name="Version">The version of the checkpoint that there was a manifest of; null: written by a version of this program without manifests.</param>
/// <param name="Until">Up to here the append-only file was committed.</param>
/// <param name="Log">The append-only file from where it began up to there.</param>
internal sealed record Acknowledged(long Number, long? Version, long Until, Extent[] Log)
{
    /// <summary>What a folder that was never used has.</summary>
    internal static Acknowledged Nothing { get; } = new(0, null, 0, []);

    /// <summary>Reads what a folder's store acknowledged.</summary>
    /// <param name="file">The file.</param>
    /// <returns>Null if the file is not there.</returns>
    /// <exception cref="DamagedStoreException">It is not as it was written.</exception>
    internal static Acknowledged? Read(string file) =>
        File.Exists(file) && long.TryParse(File.ReadAllText(file), NumberStyles.None, CultureInfo.InvariantCulture, out long number)
            ? Nothing with { Number = number }
            : SealedFile.Read<Acknowledged>(file);
}
