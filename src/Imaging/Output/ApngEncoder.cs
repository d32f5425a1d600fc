using System.Buffers.Binary;

namespace IgptCluster.Imaging.Output;

/// <summary>
/// Encodes animated PNG of 8-bit RGB, lossless, endless. Each frame after the first holds only the rectangle that
/// changed; a viewer that knows no animation shows the first. Any thread may call.
/// </summary>
/// <remarks>After the PNG specification, third edition, sections 11.3.6 (acTL, fcTL, fdAT). A frame equal to the one before it keeps its own time.</remarks>
public static class ApngEncoder
{
    const int SequenceNumber = 4;

    /// <summary>The whole file.</summary>
    /// <param name="frames">At least one image, all of one size.</param>
    /// <param name="frameDelay">How long each frame but the last is shown: 0 to 65,535 ms, rounded to milliseconds.</param>
    /// <param name="lastFrameDelay">How long the last frame is shown before the first comes again, likewise.</param>
    /// <exception cref="ImagingException">No frame, unequal sizes, or a delay out of range.</exception>
    public static byte[] Encode(IReadOnlyList<RgbImage> frames, TimeSpan frameDelay, TimeSpan lastFrameDelay)
    {
        AnimationFrames.Check(frames);
        int delay = AnimationFrames.Milliseconds(frameDelay);
        int lastDelay = AnimationFrames.Milliseconds(lastFrameDelay);
        using var writer = new PngWriter(frames[0].Width, frames[0].Height);
        Span<byte> animation = stackalloc byte[8];
        BinaryPrimitives.WriteInt32BigEndian(animation, frames.Count);
        animation[4..].Clear(); // plays: 0 is endless
        writer.Write("acTL"u8, animation);

        int sequence = 0;
        for (int i = 0; i < frames.Count; i++)
        {
            FrameArea area = i == 0 ? FrameArea.Whole(frames[0]) : FrameArea.Changed(frames[i - 1], frames[i]);
            WriteControl(writer, sequence++, area, i == frames.Count - 1 ? lastDelay : delay);
            byte[] data = PngRows.Compress(frames[i], area);
            if (i == 0)
                writer.Write("IDAT"u8, data);
            else
                WriteFrame(writer, sequence++, data);
        }

        return writer.Complete();
    }

    static void WriteControl(PngWriter writer, int sequence, FrameArea area, int milliseconds)
    {
        Span<byte> control = stackalloc byte[26];
        BinaryPrimitives.WriteInt32BigEndian(control, sequence);
        BinaryPrimitives.WriteInt32BigEndian(control[4..], area.Width);
        BinaryPrimitives.WriteInt32BigEndian(control[8..], area.Height);
        BinaryPrimitives.WriteInt32BigEndian(control[12..], area.X);
        BinaryPrimitives.WriteInt32BigEndian(control[16..], area.Y);
        BinaryPrimitives.WriteUInt16BigEndian(control[20..], (ushort)milliseconds);
        BinaryPrimitives.WriteUInt16BigEndian(control[22..], 1000);
        control[24..].Clear(); // leave the frame where it is; overwrite rather than blend
        writer.Write("fcTL"u8, control);
    }

    static void WriteFrame(PngWriter writer, int sequence, byte[] data)
    {
        var numbered = new byte[SequenceNumber + data.Length];
        BinaryPrimitives.WriteInt32BigEndian(numbered, sequence);
        data.CopyTo(numbered, SequenceNumber);
        writer.Write("fdAT"u8, numbered);
    }
}
