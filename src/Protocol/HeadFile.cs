using Google.Protobuf;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Protocol;

/// <summary>A classifier head in a file: the JSON form of a <see cref="PutHeadRequest"/>, which anything can write.</summary>
public static class HeadFile
{
    /// <summary>Most bytes of a head file.</summary>
    public const int MaxBytes = 512 << 20;

    /// <summary>Reads one.</summary>
    /// <param name="json">The file's content in UTF-8.</param>
    /// <param name="path">Its path: a head without a name is named for its file. Null if it has none.</param>
    /// <exception cref="InvalidDataException">It is no head file.</exception>
    public static PutHeadRequest Read(Stream json, string? path)
    {
        using var reader = new StreamReader(json, leaveOpen: true);
        try
        {
            PutHeadRequest head = JsonParser.Default.Parse<PutHeadRequest>(reader);
            head.Head = head.Head.Length > 0 || path is null ? head.Head : Path.GetFileNameWithoutExtension(path);
            return head;
        }
        catch (IOException failure) when (failure is InvalidJsonException or InvalidProtocolBufferException)
        {
            string cure = reader.EndOfStream ? ". It ends there, so it may be incomplete, still being written or downloaded: wait until it is complete, or fetch it again" : "";
            throw new InvalidDataException($"is not a head file (the JSON form of PutHeadRequest): {failure.Message}{cure}", failure);
        }
    }
}
