namespace IgptCluster.Training.Data;

/// <summary>
/// Random flips and crops on tokens: the image is padded by reflection, a window of its own size cut out, and mirrored every other time (Wide
/// Residual Networks' recipe, which the ImageGPT paper uses). What happens to an image depends on seed and ordinal alone.
/// </summary>
/// <param name="Flip">Mirrors left and right half of the time.</param>
/// <param name="CropPadding">Pixels of padding on each side, 0 to the smaller side minus 1; 0 for no crops.</param>
/// <param name="Seed">Seed.</param>
internal sealed record Augmentation(bool Flip, int CropPadding, int Seed)
{
    /// <summary>Writes the augmented image.</summary>
    /// <param name="tokens">The image.</param>
    /// <param name="width">Pixels in a row.</param>
    /// <param name="ordinal">As which image of the whole training it is seen.</param>
    /// <param name="target">As many tokens.</param>
    internal void Apply(ReadOnlySpan<ushort> tokens, int width, long ordinal, Span<long> target)
    {
        var random = new Random(unchecked((Seed * 31_337) ^ (int)ordinal ^ (int)(ordinal >> 31)));
        bool mirror = Flip && random.Next(2) == 1;
        int left = random.Next((2 * CropPadding) + 1) - CropPadding;
        int top = random.Next((2 * CropPadding) + 1) - CropPadding;
        int height = tokens.Length / width;
        for (int i = 0; i < tokens.Length; i++)
        {
            int x = Reflect((i % width) + left, width);
            int y = Reflect((i / width) + top, height);
            target[i] = tokens[(y * width) + (mirror ? width - 1 - x : x)];
        }
    }

    // −1 is 1, size is size − 2.
    static int Reflect(int at, int size) => at < 0 ? -at : at >= size ? (2 * (size - 1)) - at : at;
}
