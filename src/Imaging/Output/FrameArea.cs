namespace IgptCluster.Imaging.Output;

/// <summary>A rectangle of an image, in pixels from the upper left.</summary>
readonly record struct FrameArea(int X, int Y, int Width, int Height)
{
    internal static FrameArea Whole(RgbImage image) => new(0, 0, image.Width, image.Height);

    /// <summary>The smallest rectangle outside which two images of one size are equal; one pixel where they are equal everywhere.</summary>
    internal static FrameArea Changed(RgbImage before, RgbImage after)
    {
        int top = 0;
        while (top < after.Height - 1 && before.Row(top).SequenceEqual(after.Row(top)))
            top++;
        int bottom = after.Height - 1;
        while (bottom > top && before.Row(bottom).SequenceEqual(after.Row(bottom)))
            bottom--;
        int left = after.Width - 1;
        int right = 0;
        for (int y = top; y <= bottom; y++)
        {
            ReadOnlySpan<byte> one = before.Row(y);
            ReadOnlySpan<byte> other = after.Row(y);
            int same = one.CommonPrefixLength(other);
            if (same == other.Length)
                continue;
            left = Math.Min(left, same / 3);
            int last = other.Length - 1;
            while (one[last] == other[last])
                last--;
            right = Math.Max(right, last / 3);
        }

        return left <= right ? new(left, top, right - left + 1, bottom - top + 1) : new(0, 0, 1, 1);
    }
}
