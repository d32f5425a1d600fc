using System.Text;
using System.Text.Json;

namespace IgptCluster.Files;

/// <summary>What to say of a file that ends before what it should hold does.</summary>
public static class IncompleteFile
{
    /// <summary>Why it may be so, and what helps.</summary>
    public const string Cure = "it is incomplete, perhaps still being written or downloaded: wait until it is complete, or fetch it again";

    /// <summary>What is wrong with a text that is not JSON, in words that follow the file's name.</summary>
    /// <param name="json">The text.</param>
    /// <param name="failure">What reading it as JSON threw.</param>
    public static string JsonFault(string json, Exception failure)
    {
        ArgumentNullException.ThrowIfNull(json);
        ArgumentNullException.ThrowIfNull(failure);
        return EndsEarly(json) ? $"ends before its JSON does, after {json.Length} characters: {Cure}" : $"is not JSON: {failure.Message}";
    }

    // The text is right as far as it goes.
    static bool EndsEarly(string json)
    {
        var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(json.TrimStart('\uFEFF')), isFinalBlock: false, default);
        try
        {
            while (reader.Read())
            {
                // On to where it ends.
            }

            return reader.CurrentDepth > 0 || reader.TokenType is JsonTokenType.None or JsonTokenType.StartObject or JsonTokenType.StartArray;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
