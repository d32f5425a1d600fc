using System.IO.Hashing;
using System.Text;
using System.Text.Json;

namespace IgptCluster.Store.Integrity;

/// <summary>A small file that carries its own checksum: the sum of the second line is the first. Written whole or not at all.</summary>
internal static class SealedFile
{
    /// <summary>Writes a file; it is on the disk when this returns.</summary>
    /// <param name="file">The file.</param>
    /// <param name="value">What it is to hold.</param>
    internal static void Write<T>(string file, T value)
    {
        string text = JsonSerializer.Serialize(value);
        StoreFolder.Replace(file, $"{SumOf(text)}\n{text}");
    }

    /// <summary>Reads a file.</summary>
    /// <param name="file">The file.</param>
    /// <returns>Null if it is not there.</returns>
    /// <exception cref="DamagedStoreException">It is not as it was written.</exception>
    internal static T? Read<T>(string file)
        where T : class
    {
        if (!File.Exists(file))
        {
            return null;
        }

        string[] lines = File.ReadAllText(file).Split('\n', 2);
        return lines.Length == 2 && lines[0] == SumOf(lines[1])
            ? JsonSerializer.Deserialize<T>(lines[1])
            : throw new DamagedStoreException($"{Path.GetFileName(file)} is not as it was written");
    }

    static string SumOf(string text) => Convert.ToHexStringLower(XxHash3.Hash(Encoding.UTF8.GetBytes(text)));
}
