using Google.Protobuf;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli;

/// <summary>Images named on the command line.</summary>
internal static class ImageFiles
{
    const int MaxBytes = 64 << 20;

    /// <summary>Reads one file; <c>-</c> is standard input.</summary>
    /// <exception cref="CliException">It cannot be read or is too large.</exception>
    internal static async Task<ImageInput> ReadAsync(string path, CancellationToken cancellationToken)
    {
        byte[] bytes = await InputFile.ReadAsync(path, MaxBytes, cancellationToken);
        return bytes.Length > 0 ? new ImageInput { Encoded = UnsafeByteOperations.UnsafeWrap(bytes) } : throw new CliException(ExitCode.BadInput, $"'{path}' is empty");
    }

    internal static async Task<ImageInput[]> ReadAllAsync(string[] paths, CancellationToken cancellationToken) =>
        await Task.WhenAll(paths.Select(path => ReadAsync(path, cancellationToken)));
}
