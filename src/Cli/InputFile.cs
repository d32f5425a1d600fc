using IgptCluster.Files;

namespace IgptCluster.Cli;

/// <summary>A file named on the command line, or standard input.</summary>
internal static class InputFile
{
    const int Piece = 1 << 16;

    /// <summary>Reads one; <c>-</c> is standard input.</summary>
    /// <param name="path">The file.</param>
    /// <param name="maxBytes">Most bytes that it may have.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CliException">It is no regular file, cannot be read, or has more bytes.</exception>
    internal static async Task<byte[]> ReadAsync(string path, int maxBytes, CancellationToken cancellationToken)
    {
        try
        {
            return path == "-" ? await ReadStandardInputAsync(maxBytes, cancellationToken) : UserFile.ReadBytes(path, maxBytes);
        }
        catch (UserFileException failure)
        {
            throw new CliException(ExitCode.BadInput, $"'{path}': {failure.Rule}{(failure.IsPipe ? "; - reads standard input" : "")}");
        }
    }

    // Input may have no end.
    static async Task<byte[]> ReadStandardInputAsync(int maxBytes, CancellationToken cancellationToken)
    {
        await using Stream input = Console.OpenStandardInput();
        using var bytes = new MemoryStream();
        byte[] piece = new byte[Piece];
        while (await input.ReadAsync(piece, cancellationToken) is > 0 and int count)
        {
            bytes.Write(piece, 0, count);
            if (bytes.Length > maxBytes)
            {
                throw new CliException(ExitCode.BadInput, $"standard input must have at most {maxBytes:N0} bytes; given more");
            }
        }

        return bytes.ToArray();
    }
}
