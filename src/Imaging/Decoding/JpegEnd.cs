namespace IgptCluster.Imaging.Decoding;

/// <summary>Whether a JPEG reaches its end: the decoder fills a progressive one that is cut off, and says nothing.</summary>
static class JpegEnd
{
    const byte Stuffing = 0x00;
    const byte FirstWithoutLength = 0xD0; // restarts 0 to 7, then the start of the image
    const byte LastWithoutLength = 0xD8;
    const byte EndOfImage = 0xD9;
    const byte Temporary = 0x01;

    /// <summary>Steps over the segments, so that an end marker inside of one (as of a thumbnail) does not count.</summary>
    internal static bool IsReached(ReadOnlySpan<byte> jpeg)
    {
        while (jpeg.IndexOf((byte)0xFF) is >= 0 and int found)
        {
            jpeg = jpeg[found..].TrimStart((byte)0xFF);
            if (jpeg.IsEmpty)
                return false;
            byte marker = jpeg[0];
            jpeg = jpeg[1..];
            if (marker == EndOfImage)
                return true;
            if (marker is Stuffing or Temporary or (>= FirstWithoutLength and <= LastWithoutLength))
                continue;
            if (jpeg.Length < 2)
                return false;
            jpeg = jpeg[Math.Min((jpeg[0] << 8) | jpeg[1], jpeg.Length)..];
        }

        return false;
    }
}
