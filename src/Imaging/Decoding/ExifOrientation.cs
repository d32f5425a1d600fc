namespace IgptCluster.Imaging.Decoding;

/// <summary>Where the pixels of a stored image go so that it is upright: pixel (x, y) lands at Origin + x · StepX + y · StepY.</summary>
/// <remarks>EXIF 2.3, tag 0x0112: 1 upright, 2 mirrored, 3 half turn, 4 upside down, 5 transposed, 6 and 8 quarter turns, 7 transversed.</remarks>
readonly record struct ExifOrientation(int Width, int Height, int Origin, int StepX, int StepY)
{
    /// <summary>The mapping for a stored size; a value outside 1 to 8 is taken as upright.</summary>
    internal static ExifOrientation For(int orientation, int width, int height)
    {
        int last = (width * height) - 1;
        return orientation switch
        {
            2 => new(width, height, width - 1, -1, width),
            3 => new(width, height, last, -1, -width),
            4 => new(width, height, last - (width - 1), 1, -width),
            5 => new(height, width, 0, height, 1),
            6 => new(height, width, height - 1, height, -1),
            7 => new(height, width, last, -height, -1),
            8 => new(height, width, last - (height - 1), -height, 1),
            _ => new(width, height, 0, 1, width),
        };
    }

    /// <summary>Drops the fourth byte of each stored pixel and puts the rest in its place.</summary>
    internal byte[] Pack(ReadOnlySpan<byte> rgba, int storedWidth)
    {
        byte[] rgb = GC.AllocateUninitializedArray<byte>(checked(Width * Height * 3));
        int row = Origin * 3;
        while (!rgba.IsEmpty)
        {
            ReadOnlySpan<byte> stored = rgba[..(storedWidth * 4)];
            int to = row;
            for (int from = 0; from < stored.Length; from += 4)
            {
                rgb[to] = stored[from];
                rgb[to + 1] = stored[from + 1];
                rgb[to + 2] = stored[from + 2];
                to += StepX * 3;
            }

            rgba = rgba[stored.Length..];
            row += StepY * 3;
        }

        return rgb;
    }
}
