namespace IgptCluster.Imaging.Output;

/// <summary>Many images in one, in rows and columns on mid gray. Any thread may call.</summary>
public static class ContactSheet
{
    const int MaxGap = 256;

    static readonly (byte Red, byte Green, byte Blue) Background = (128, 128, 128);

    /// <summary>Puts tiles side by side; a column is as wide as its widest tile, a row as high as its highest, smaller tiles are centred.</summary>
    /// <param name="rows">At least one tile in all; the rows may have different numbers of tiles, also none.</param>
    /// <param name="gap">Pixels between tiles and around them, 0 to 256.</param>
    /// <exception cref="ImagingException">No tile at all, a gap out of range, or a sheet too large for an array.</exception>
    public static RgbImage Compose(IReadOnlyList<IReadOnlyList<RgbImage>> rows, int gap = 4)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (gap is < 0 or > MaxGap)
            throw new ImagingException($"the gap of a contact sheet is 0 to {MaxGap} pixels; given {gap}");
        int columns = rows.Select(row => row.Count).DefaultIfEmpty(0).Max();
        if (columns == 0)
            throw new ImagingException("a contact sheet has at least one tile; given none");
        var widths = new int[columns];
        int[] heights = [.. rows.Select(row => row.Select(tile => tile.Height).DefaultIfEmpty(0).Max())];
        for (int column = 0; column < columns; column++)
            widths[column] = rows.Where(row => column < row.Count).Max(row => row[column].Width);

        long width = widths.Sum(side => (long)side + gap) + gap;
        long height = heights.Sum(side => (long)side + gap) + gap;
        byte[] sheet = RgbImage.Allocate(width, height);
        RgbImage.Fill(sheet, Background);
        int top = gap;
        for (int row = 0; row < rows.Count; row++)
        {
            int left = gap;
            for (int column = 0; column < rows[row].Count; column++)
            {
                RgbImage tile = rows[row][column];
                Copy(tile, sheet, (int)width, left + ((widths[column] - tile.Width) / 2), top + ((heights[row] - tile.Height) / 2));
                left += widths[column] + gap;
            }

            top += heights[row] + gap;
        }

        return new RgbImage((int)width, (int)height, sheet);
    }

    static void Copy(RgbImage tile, byte[] sheet, int sheetWidth, int left, int top)
    {
        for (int y = 0; y < tile.Height; y++)
            tile.Row(y).CopyTo(sheet.AsSpan((((top + y) * sheetWidth) + left) * 3));
    }
}
