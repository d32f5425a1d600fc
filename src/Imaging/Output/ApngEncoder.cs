using System.Buffers.Binary;

namespace IgptCluster.Imaging;

/// <summary>Writes animated PNG (APNG 1.0), which shows its first frame where animation is not known. Any thread may call.</summary>
public static class ApngEncoder
{
    /// <summary>Encodes an animation that repeats for ever.</summary>
    /// <param name="frames">At least one; all of one size.</param>
    /// <param name="frameDelay">How long each frame is shown, 1 ms … 65 s.</param>
    /// <param name="lastFrameDelay">How long the last one is, 1 ms … 65 s.</param>
    /// <returns>A whole APNG file.</returns>
    /// <exception cref="ImagingException">There are no frames, their sizes differ, or a delay is out of range.</exception>
    public static byte[] Encode(IReadOnlyList<RgbImage> frames, TimeSpan frameDelay, TimeSpan lastFrameDelay)
    {
        ArgumentNullException.ThrowIfNull(frames);
        if (frames.Count == 0)
            throw new ImagingException("an animation has at least one frame; given none");
        RgbImage first = frames[0];
        foreach (RgbImage frame in frames)
        {
            if (frame.Width != first.Width || frame.Height != first.Height)
                throw new ImagingException($"all frames of an animation have one size; given {first.Width} × {first.Height} and {frame.Width} × {frame.Height}");
        }

        using var file = new MemoryStream();
        file.Write(ImageSignature.Png);
        PngChunks.Write(file, "IHDR"u8, PngChunks.Header(first));
        PngChunks.Write(file, "acTL"u8, AnimationControl(frames.Count));
        int sequence = 0;
        for (int i = 0; i < frames.Count; i++)
        {
            TimeSpan delay = i == frames.Count - 1 ? lastFrameDelay : frameDelay;
            PngChunks.Write(file, "fcTL"u8, FrameControl(sequence++, frames[i], delay));
            byte[] data = PngChunks.Compress(frames[i]);
            if (i == 0)
                PngChunks.Write(file, "IDAT"u8, data);
            else
                PngChunks.Write(file, "fdAT"u8, [.. BigEndian(sequence++), .. data]);
        }

        PngChunks.Write(file, "IEND"u8, []);
        return file.ToArray();
    }

    static byte[] AnimationControl(int frames) => [.. BigEndian(frames), .. BigEndian(0)];

    static byte[] FrameControl(int sequence, RgbImage frame, TimeSpan delay)
    {
        double milliseconds = Math.Round(delay.TotalMilliseconds);
        if (milliseconds is < 1 or > 65_000)
            throw new ImagingException($"a frame is shown for 1 … 65,000 ms; given {milliseconds} ms");

        // Sequence, size, offset (0, 0), delay as a fraction of a second, keep what is there, replace it.
        byte[] control = new byte[26];
        BinaryPrimitives.WriteInt32BigEndian(control, sequence);
        BinaryPrimitives.WriteInt32BigEndian(control.AsSpan(4), frame.Width);
        BinaryPrimitives.WriteInt32BigEndian(control.AsSpan(8), frame.Height);
        BinaryPrimitives.WriteUInt16BigEndian(control.AsSpan(20), (ushort)milliseconds);
        BinaryPrimitives.WriteUInt16BigEndian(control.AsSpan(22), 1000);
        return control;
    }

    static byte[] BigEndian(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }
}
