using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using IgptCluster.Files;

namespace IgptCluster.Hosting.Settings;

/// <summary>The files of settings in the working folder, checked before they are read: what reads them waits for a pipe's writer, and reports broken JSON with a stack.</summary>
static class SettingsFiles
{
    const int MaxBytes = 16 << 20;

    static readonly JsonDocumentOptions Json = new() { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true };

    /// <summary>Checks <c>appsettings.json</c> and the environment's <c>appsettings.NAME.json</c>, where they are.</summary>
    /// <exception cref="ValidationException">One is no regular file, may not be read, or is not a JSON object.</exception>
    internal static void Check()
    {
        string environment = Environment.GetEnvironmentVariable("ASPNETCORE_ENVIRONMENT") ?? Environment.GetEnvironmentVariable("DOTNET_ENVIRONMENT") ?? "Production";
        foreach (string file in new[] { "appsettings.json", $"appsettings.{environment}.json" })
        {
            string path = Path.GetFullPath(file);
            if (UserFile.IsThere(path))
            {
                Check(path);
            }
        }
    }

    static void Check(string path)
    {
        try
        {
            using JsonDocument settings = JsonDocument.Parse(UserFile.ReadText(path, MaxBytes), Json);
            if (settings.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new ValidationException($"{path}: must be a JSON object; given {settings.RootElement.ValueKind}");
            }
        }
        catch (JsonException failure)
        {
            throw new ValidationException($"{path}: is not JSON: line {failure.LineNumber + 1}, column {failure.BytePositionInLine + 1}: {Reason(failure)}", failure);
        }
        catch (UserFileException failure)
        {
            throw new ValidationException(failure.Message, failure);
        }
    }

    // Behind it the place is told once more, counted from 0.
    static string Reason(JsonException failure)
    {
        int place = failure.Message.IndexOf(" LineNumber:", StringComparison.Ordinal);
        return place < 0 ? failure.Message : failure.Message[..place];
    }
}
