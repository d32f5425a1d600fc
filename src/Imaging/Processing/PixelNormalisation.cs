namespace IgptCluster.Imaging.Processing;

/// <summary>From levels of 0 to 255 to [−1, 1], rounded where Hugging Face's ImageGPTImageProcessor rounds.</summary>
static class PixelNormalisation
{
    /// <summary>rescale (double, then to single precision), and one less in single precision.</summary>
    internal static float ToFloat(byte level) => (float)(level * (1 / 127.5)) - 1f;
}
