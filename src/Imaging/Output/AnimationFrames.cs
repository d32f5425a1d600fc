namespace IgptCluster.Imaging.Output;

/// <summary>The rules that every animated format here has for its frames and delays.</summary>
static class AnimationFrames
{
    /// <summary>Milliseconds that 16 bits hold.</summary>
    const int MaxDelay = ushort.MaxValue;

    internal static void Check(IReadOnlyList<RgbImage> frames)
    {
        ArgumentNullException.ThrowIfNull(frames);
        if (frames.Count == 0)
            throw new ImagingException("an animation has at least one frame; given none");
        for (int i = 0; i < frames.Count; i++)
        {
            RgbImage frame = frames[i] ?? throw new ImagingException($"an animation's frames are images; given null at {i}");
            if (frame.Width != frames[0].Width || frame.Height != frames[0].Height)
                throw new ImagingException($"an animation's frames all have one size, {frames[0].Width} x {frames[0].Height}; given {frame.Width} x {frame.Height} at {i}");
        }
    }

    /// <summary>A delay in milliseconds, rounded.</summary>
    internal static int Milliseconds(TimeSpan delay)
    {
        double milliseconds = Math.Round(delay.TotalMilliseconds);
        if (milliseconds is < 0 or > MaxDelay)
            throw new ImagingException($"a frame is shown for 0 to {MaxDelay:N0} ms; given {milliseconds:N0} ms");
        return (int)milliseconds;
    }
}
