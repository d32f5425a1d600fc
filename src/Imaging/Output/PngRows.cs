using System.IO.Compression;

namespace IgptCluster.Imaging.Output;

/// <summary>The pixel data of PNG: each row with the filter that leaves the smallest sum of absolute differences, then zlib.</summary>
/// <remarks>After the PNG specification, sections 9 and 12.7 (the heuristic for choosing a filter).</remarks>
static class PngRows
{
    const int Pixel = 3;
    const int Filters = 5;

    /// <summary>A rectangle of an image, compressed.</summary>
    internal static byte[] Compress(RgbImage image, FrameArea area)
    {
        using var compressed = new MemoryStream();
        using (var zlib = new ZLibStream(compressed, CompressionLevel.Optimal, leaveOpen: true))
        {
            int stride = area.Width * Pixel;
            ReadOnlySpan<byte> above = new byte[stride];
            byte[] best = new byte[stride + 1];
            byte[] tried = new byte[stride + 1];
            for (int y = 0; y < area.Height; y++)
            {
                ReadOnlySpan<byte> row = image.Row(area.Y + y).Slice(area.X * Pixel, stride);
                long smallest = long.MaxValue;
                for (byte filter = 0; filter < Filters && smallest > 0; filter++)
                {
                    long sum = Filter(filter, row, above, tried);
                    if (sum < smallest)
                        (smallest, best, tried) = (sum, tried, best);
                }

                zlib.Write(best);
                above = row;
            }
        }

        return compressed.ToArray();
    }

    static long Filter(byte filter, ReadOnlySpan<byte> row, ReadOnlySpan<byte> above, byte[] output)
    {
        output[0] = filter;
        long sum = 0;
        for (int i = 0; i < row.Length; i++)
        {
            int left = i >= Pixel ? row[i - Pixel] : 0;
            int corner = i >= Pixel ? above[i - Pixel] : 0;
            int predicted = filter switch
            {
                0 => 0,
                1 => left,
                2 => above[i],
                3 => (left + above[i]) / 2,
                _ => Paeth(left, above[i], corner),
            };
            byte difference = (byte)(row[i] - predicted);
            output[i + 1] = difference;
            sum += Math.Abs((int)(sbyte)difference);
        }

        return sum;
    }

    static int Paeth(int left, int above, int corner)
    {
        int toLeft = Math.Abs(above - corner);
        int toAbove = Math.Abs(left - corner);
        int toCorner = Math.Abs(left + above - (2 * corner));
        if (toLeft <= toAbove && toLeft <= toCorner)
            return left;
        return toAbove <= toCorner ? above : corner;
    }
}
