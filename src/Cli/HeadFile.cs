using Google.Protobuf;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli;

/// <summary>A head file: the JSON form of a <see cref="PutHeadRequest"/>, which anything can write.</summary>
internal static class HeadFile
{
    const int MaxBytes = 512 << 20; // as the files of a checkpoint's heads

    /// <summary>Reads one; <c>-</c> is standard input. A file without a head name is named for itself.</summary>
    /// <param name="path">The file.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="CliException">It cannot be read.</exception>
    internal static async Task<PutHeadRequest> ReadAsync(string path, CancellationToken cancellationToken)
    {
        byte[] bytes = await InputFile.ReadAsync(path, MaxBytes, cancellationToken);
        try
        {
            using var reader = new StreamReader(new MemoryStream(bytes));
            PutHeadRequest request = JsonParser.Default.Parse<PutHeadRequest>(reader);
            request.Head = request.Head.Length > 0 || path == "-" ? request.Head : Path.GetFileNameWithoutExtension(path);
            return request;
        }
        catch (IOException failure)
        {
            // Protobuf's exceptions are of this kind too.
            throw new CliException(ExitCode.BadInput, $"'{path}' is not a head file (the JSON form of PutHeadRequest): {failure.Message}");
        }
    }
}
