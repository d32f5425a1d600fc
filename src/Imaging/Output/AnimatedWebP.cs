using IgptCluster.Imaging.Decoding;

namespace IgptCluster.Imaging.Output;

/// <summary>Encodes animated WebP, lossless, endless. Takes some ten times as long as <see cref="ApngEncoder"/> and is not always smaller. Any thread may call.</summary>
public static class AnimatedWebP
{
    const int MaxSide = 16_383;

    /// <summary>The whole file.</summary>
    /// <param name="frames">At least one image, all of one size, sides at most 16,383.</param>
    /// <param name="frameDelay">How long each frame but the last is shown: 0 to 65,535 ms, rounded to milliseconds.</param>
    /// <param name="lastFrameDelay">How long the last frame is shown before the first comes again, likewise.</param>
    /// <exception cref="ImagingException">No frame, unequal sizes, too large a size, or a delay out of range.</exception>
    public static byte[] Encode(IReadOnlyList<RgbImage> frames, TimeSpan frameDelay, TimeSpan lastFrameDelay)
    {
        AnimationFrames.Check(frames);
        if (Math.Max(frames[0].Width, frames[0].Height) > MaxSide)
            throw new ImagingException($"a WebP has at most {MaxSide:N0} pixels on a side; given {frames[0].Width} x {frames[0].Height}: choose a smaller scale");
        var delays = new TimeSpan[frames.Count];
        Array.Fill(delays, TimeSpan.FromMilliseconds(AnimationFrames.Milliseconds(frameDelay)));
        delays[^1] = TimeSpan.FromMilliseconds(AnimationFrames.Milliseconds(lastFrameDelay));
        return SkiaCodec.EncodeAnimatedWebP(frames, delays);
    }
}
