namespace IgptCluster.Imaging;

/// <summary>Many images on one. Any thread may call.</summary>
public static class ContactSheet
{
    const byte Background = 24;

    /// <summary>Lays images out in rows and columns, with a gap around each.</summary>
    /// <param name="rows">Rows of images; they may differ in number and size.</param>
    /// <param name="gap">Pixels between images, at least 0.</param>
    /// <exception cref="ImagingException">There is no image.</exception>
    public static RgbImage Compose(IReadOnlyList<IReadOnlyList<RgbImage>> rows, int gap = 4)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentOutOfRangeException.ThrowIfNegative(gap);
        int columns = rows.Count == 0 ? 0 : rows.Max(row => row.Count);
        if (columns == 0)
            throw new ImagingException("a contact sheet has at least one image; given none");
        int[] widths = [.. Enumerable.Range(0, columns).Select(column => rows.Where(row => column < row.Count).Max(row => row[column].Width))];
        int[] heights = [.. rows.Select(row => row.Count == 0 ? 0 : row.Max(image => image.Height))];
        int width = widths.Sum() + (gap * (columns + 1));
        byte[] rgb = new byte[checked(width * (heights.Sum() + (gap * (rows.Count + 1))) * 3)];
        rgb.AsSpan().Fill(Background);
        int top = gap;
        for (int row = 0; row < rows.Count; row++)
        {
            int left = gap;
            for (int column = 0; column < rows[row].Count; column++)
            {
                RgbImage image = rows[row][column];
                for (int y = 0; y < image.Height; y++)
                    image.Row(y).CopyTo(rgb.AsSpan((((top + y) * width) + left) * 3));
                left += widths[column] + gap;
            }

            top += heights[row] + gap;
        }

        return new RgbImage(width, heights.Sum() + (gap * (rows.Count + 1)), rgb);
    }
}
