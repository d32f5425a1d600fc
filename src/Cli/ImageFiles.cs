using Google.Protobuf;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli;

/// <summary>Images named on the command line.</summary>
internal static class ImageFiles
{
    const long MaxBytes = 64 << 20;

    /// <summary>Reads one file; <c>-</c> is standard input.</summary>
    /// <exception cref="CliException">It cannot be read or is too large.</exception>
    internal static async Task<ImageInput> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (path != "-" && !File.Exists(path))
        {
            throw new CliException(ExitCode.BadInput, $"there is no file '{path}'");
        }

        if (path != "-" && new FileInfo(path).Length > MaxBytes)
        {
            throw new CliException(ExitCode.BadInput, $"'{path}' has {new FileInfo(path).Length:N0} bytes; at most {MaxBytes:N0} are sent: scale the image down");
        }

        await using Stream stream = path == "-" ? Console.OpenStandardInput() : File.OpenRead(path);
        ByteString bytes = await ByteString.FromStreamAsync(stream, cancellationToken);
        return bytes.Length > 0 ? new ImageInput { Encoded = bytes } : throw new CliException(ExitCode.BadInput, $"'{path}' is empty");
    }

    internal static async Task<ImageInput[]> ReadAllAsync(string[] paths, CancellationToken cancellationToken) =>
        await Task.WhenAll(paths.Select(path => ReadAsync(path, cancellationToken)));
}
