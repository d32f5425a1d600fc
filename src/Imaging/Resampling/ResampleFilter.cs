namespace IgptCluster.Imaging.Resampling;

/// <summary>Pillow's filters, by the codes that <c>resample</c> in preprocessor_config.json uses.</summary>
public enum ResampleFilter
{
    /// <summary>The nearest pixel; no antialiasing.</summary>
    Nearest = 0,

    /// <summary>Truncated sinc over three pixels.</summary>
    Lanczos = 1,

    /// <summary>Triangle over one pixel; ImageGPT's.</summary>
    Bilinear = 2,

    /// <summary>Cubic over two pixels, a = −0.5.</summary>
    Bicubic = 3,

    /// <summary>Equal weights over half a pixel.</summary>
    Box = 4,

    /// <summary>Hamming-windowed sinc over one pixel.</summary>
    Hamming = 5,
}
