using System.Buffers.Binary;

namespace IgptCluster.Imaging.Tests;

public sealed class OutputTests
{
    static readonly Palette ThreeColours = Palette.FromClusters([-1, -1, -1, 1, 1, 1, 1, -1, -1]);

    [Fact]
    public void Encode_AnyPixels_DecodesToTheSame()
    {
        byte[] rgb = new byte[31 * 17 * 3];
        new Random(1).NextBytes(rgb);
        RgbImage decoded = ImageDecoder.Decode(PngEncoder.Encode(new RgbImage(31, 17, rgb)));
        Assert.Equal((31, 17), (decoded.Width, decoded.Height));
        Assert.True(decoded.Rgb.SequenceEqual(rgb));
    }

    [Fact]
    public void Render_FewerTokens_LeavesTheRestGray()
    {
        RgbImage image = TokenImage.Render(ThreeColours, [0, 1, 2], 2, 2);
        Assert.Equal([0, 0, 0, 255, 255, 255, 255, 0, 0, 128, 128, 128], image.Rgb.ToArray());
    }

    [Fact]
    public void Render_TooManyTokensOrNoColour_NamesRuleAndValue()
    {
        Assert.Contains("at most 4", Assert.Throws<ImagingException>(() => TokenImage.Render(ThreeColours, [0, 0, 0, 0, 0], 2, 2)).Message, StringComparison.Ordinal);
        Assert.Contains("given 3 at position 1", Assert.Throws<ImagingException>(() => TokenImage.Render(ThreeColours, [0, 3], 2, 2)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Upscale_ByThree_MakesSquares()
    {
        RgbImage big = TokenImage.Render(ThreeColours, [0, 1, 2, 0], 2, 2).Upscale(3);
        Assert.Equal((6, 6), (big.Width, big.Height));
        for (int y = 0; y < 6; y++)
        {
            for (int x = 0; x < 6; x++)
            {
                int token = new[] { 0, 1, 2, 0 }[(y / 3 * 2) + (x / 3)];
                Assert.True(big.Row(y).Slice(x * 3, 3).SequenceEqual(ThreeColours.Rgb.Slice(token * 3, 3)));
            }
        }
    }

    [Fact]
    public void EncodeAnimation_ThreeFrames_IsAWellFormedApngThatShowsTheFirst()
    {
        RgbImage[] frames = [.. Enumerable.Range(0, 3).Select(i => TokenImage.Render(ThreeColours, [i, i, 0, 0], 2, 2))];
        byte[] file = ApngEncoder.Encode(frames, TimeSpan.FromMilliseconds(40), TimeSpan.FromSeconds(2));
        Assert.True(ImageDecoder.Decode(file).Rgb.SequenceEqual(frames[0].Rgb));
        List<(string Type, byte[] Data)> chunks = Chunks(file);
        Assert.Equal(["IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"], chunks.Select(chunk => chunk.Type));
        Assert.Equal(3, BinaryPrimitives.ReadInt32BigEndian(chunks[1].Data));
        int[] sequence = [.. chunks.Where(chunk => chunk.Type is "fcTL" or "fdAT").Select(chunk => BinaryPrimitives.ReadInt32BigEndian(chunk.Data))];
        Assert.Equal([0, 1, 2, 3, 4], sequence);
        Assert.Equal([40, 40, 2000], chunks.Where(chunk => chunk.Type == "fcTL").Select(chunk => (int)BinaryPrimitives.ReadUInt16BigEndian(chunk.Data.AsSpan(20))));

        // A later frame's data, put into a still image, must decode to that frame.
        byte[] still = [.. file[..8], .. Chunk("IHDR", chunks[0].Data), .. Chunk("IDAT", chunks[7].Data[4..]), .. Chunk("IEND", [])];
        Assert.True(ImageDecoder.Decode(still).Rgb.SequenceEqual(frames[2].Rgb));
    }

    [Fact]
    public void EncodeAnimation_NoFramesOrUnequalOnes_IsRefused()
    {
        TimeSpan delay = TimeSpan.FromMilliseconds(40);
        Assert.Throws<ImagingException>(() => ApngEncoder.Encode([], delay, delay));
        Assert.Throws<ImagingException>(() => ApngEncoder.Encode([new RgbImage(1, 1, new byte[3]), new RgbImage(1, 2, new byte[6])], delay, delay));
    }

    [Fact]
    public void Compose_UnequalRows_PlacesEveryImage()
    {
        RgbImage white = new(2, 2, [.. Enumerable.Repeat((byte)255, 12)]);
        RgbImage sheet = ContactSheet.Compose([[white, white], [white]], gap: 1);
        Assert.Equal((7, 7), (sheet.Width, sheet.Height));
        int bright = 0;
        foreach (byte value in sheet.Rgb)
        {
            bright += value == 255 ? 1 : 0;
        }

        Assert.Equal(3 * 12, bright);
    }

    static byte[] Chunk(string type, byte[] data)
    {
        byte[] body = [.. System.Text.Encoding.ASCII.GetBytes(type), .. data];
        byte[] chunk = new byte[8 + body.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, data.Length);
        body.CopyTo(chunk, 4);
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(4 + body.Length), Crc32.Compute(body));
        return chunk;
    }

    static List<(string Type, byte[] Data)> Chunks(byte[] file)
    {
        var chunks = new List<(string, byte[])>();
        for (int at = 8; at < file.Length;)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(at));
            uint crc = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at + 8 + length));
            Assert.Equal(crc, Crc32.Compute(file.AsSpan(at + 4, 4 + length)));
            chunks.Add((System.Text.Encoding.ASCII.GetString(file, at + 4, 4), file[(at + 8)..(at + 8 + length)]));
            at += 12 + length;
        }

        return chunks;
    }
}
