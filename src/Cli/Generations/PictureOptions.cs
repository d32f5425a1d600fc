using System.CommandLine;
using IgptCluster.CommandLine;

namespace IgptCluster.Cli.Generations;

/// <summary>Where pictures go.</summary>
/// <param name="Output">PNG of each sample; with several, a number is put before the extension. <c>-</c> is standard output.</param>
/// <param name="Animation">Animated PNG or WebP of each sample, likewise; null for none.</param>
/// <param name="Scale">Enlargement, 1 … 64.</param>
internal sealed record PictureSettings(string Output, string? Animation, int Scale)
{
    /// <summary>What <see cref="Output"/> is for standard output.</summary>
    internal const string StandardOutput = "-";

    /// <summary>The file of one sample.</summary>
    internal static string Numbered(string path, int sample, int samples) => samples == 1
        ? path
        : Path.Combine(Path.GetDirectoryName(path) ?? "", $"{Path.GetFileNameWithoutExtension(path)}-{sample}{Path.GetExtension(path)}");
}

/// <summary>Options that say where pictures go.</summary>
internal sealed class PictureOptions(string defaultOutput)
{
    readonly Option<string> _output = new("--output", "-o") { Description = "PNG to write; several samples are numbered; - is standard output.", DefaultValueFactory = _ => defaultOutput };
    readonly Option<string?> _animation = new("--animation") { Description = "Animation to write: .png (APNG) or .webp." };
    readonly Option<int> _scale = NumberOption.Create<int>("--scale", "Enlargement.", 8, 1, 64);

    internal void AddTo(Command command)
    {
        command.Add(_output);
        command.Add(_animation);
        command.Add(_scale);
    }

    internal PictureSettings Read(ParseResult parsed)
    {
        string? animation = parsed.GetValue(_animation);
        if (animation is not null && Path.GetExtension(animation).ToLowerInvariant() is not (".png" or ".apng" or ".webp"))
        {
            throw new CliException(ExitCode.BadInput, $"--animation must end in .png, .apng or .webp; given '{animation}'");
        }

        string output = parsed.GetRequiredValue(_output);
        if (output != PictureSettings.StandardOutput && !Path.GetExtension(output).Equals(".png", StringComparison.OrdinalIgnoreCase))
        {
            throw new CliException(ExitCode.BadInput, $"--output must end in .png, the format that is written, or be - for standard output; given '{output}'");
        }

        foreach (string path in new[] { output, animation }.OfType<string>().Where(path => path != PictureSettings.StandardOutput))
        {
            if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } folder && !Directory.Exists(folder))
            {
                throw new CliException(ExitCode.BadInput, $"there is no folder '{folder}' to write '{path}' to");
            }
        }

        return new PictureSettings(output, animation, parsed.GetValue(_scale));
    }
}
