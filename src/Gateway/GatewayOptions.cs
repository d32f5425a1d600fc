using System.ComponentModel.DataAnnotations;

namespace IgptCluster.Gateway;

/// <summary>What one request may ask of a gateway. Section <c>Igpt:Gateway</c>.</summary>
public sealed class GatewayOptions
{
    /// <summary>Most bytes of one request message; 64 KiB … 1 GiB, default 32 MiB: a head of 8 million weights, or a few large images.</summary>
    [Range(64 * 1024, 1024 * 1024 * 1024)]
    public int MaxRequestBytes { get; set; } = 32 * 1024 * 1024;

    /// <summary>Most bytes of one encoded image; 1 KiB … 256 MiB, default 8 MiB.</summary>
    [Range(1024, 256 * 1024 * 1024)]
    public int MaxImageBytes { get; set; } = 8 * 1024 * 1024;

    /// <summary>Most pixels of one encoded image, told by its header before it is decoded; 1 … 268,435,456, default 33,554,432.</summary>
    [Range(1, 268_435_456)]
    public long MaxImagePixels { get; set; } = 32 * 1024 * 1024;

    /// <summary>Whether EXIF orientation is applied. Default true; false gives exactly Hugging Face's tokens.</summary>
    public bool ApplyExifOrientation { get; set; } = true;

    /// <summary>Most images of one classify, embed or score request; 1 … 1024, default 64.</summary>
    [Range(1, 1024)]
    public int MaxImages { get; set; } = 64;

    /// <summary>The highest that <see cref="MaxSamples"/> can be.</summary>
    internal const int MostSamples = 1024;

    /// <summary>Most samples of one generation; 1 … 1024, default 64.</summary>
    [Range(1, MostSamples)]
    public int MaxSamples { get; set; } = 64;

    /// <summary>Longest time to live a session can be given; 0 … 49 days, default 7 days. Timers end at 2³² ms, about 49.7 days.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "49.00:00:00")]
    public TimeSpan MaxSessionTtl { get; set; } = TimeSpan.FromDays(7);

    /// <summary>
    /// Names by which HTTP clients may call this gateway, besides localhost and the loopback addresses, for instance <c>igpt.example.com</c>, <c>*.example.com</c>, or <c>*</c> for any. Default none: any name on
    /// other addresses, and only those of the loopback on the loopback, so that no page whose name a hostile name server points at this machine can call it.
    /// </summary>
    public List<string> AllowedHosts { get; } = [];

    /// <summary>Origins of web pages that may call this gateway from a browser, for instance <c>https://app.example.com</c>, or <c>*</c> for any. Default none: only pages that this gateway serves.</summary>
    public List<string> AllowedOrigins { get; } = [];
}
