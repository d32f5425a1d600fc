namespace IgptCluster.Model.Checkpoints;

/// <summary>What a file that is no checkpoint probably is.</summary>
static class FileHint
{
    internal static string Of(ReadOnlySpan<byte> start)
    {
        if (start.IsEmpty)
        {
            return "it is empty; download it again";
        }

        if (start.StartsWith("PK"u8))
        {
            return "it is a zip archive, perhaps PyTorch's; name it pytorch_model.bin";
        }

        return start.TrimStart(" \r\n\t"u8).StartsWith("<"u8)
            ? "it is HTML, perhaps an error page; download it again"
            : "it is cut off or no checkpoint; download it again";
    }
}
