using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Processing;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Imaging.Tests.Golden;

/// <summary>Every broken or hostile image and processor of the golden set: a clear refusal, in bounded memory.</summary>
public sealed class MalformedGoldenTests
{
    const long MaxManagedBytes = 8 * 1024 * 1024;
    const long MaxProcessBytes = 1L << 30;

    static readonly JsonDocument Manifest = GoldenSet.Json("malformed", "manifest.json");

    [Fact]
    public void Decode_EveryMalformedImage_IsRefusedOrDecodedAsExpected()
    {
        var refused = 0;
        var unexpected = new List<string>();
        JsonElement[] images = [.. Manifest.RootElement.GetProperty("images").EnumerateArray()];
        Assert.NotEmpty(images);
        foreach (JsonElement image in images)
        {
            string file = image.GetProperty("file").GetString()!;
            string expect = image.GetProperty("expect").GetString()!;
            byte[] encoded = File.ReadAllBytes(GoldenSet.PathOf("malformed", "images", file));
            foreach (ImageDecoderOptions options in (ReadOnlySpan<ImageDecoderOptions>)[ImageDecoderOptions.Default, ImageDecoderOptions.HuggingFace])
            {
                string? refusal = Refusal(encoded, options);
                refused += refusal is null ? 0 : 1;
                TestContext.Current.TestOutputHelper?.WriteLine($"{file} ({expect}): {refusal ?? "decoded"}");
                if ((expect == "reject" && refusal is null) || refusal?.Length < 20)
                    unexpected.Add($"{file}: {refusal ?? "decoded"}");
            }
        }

        Assert.Empty(unexpected);
        Assert.True(refused > 0);
    }

    [Fact]
    public void Decode_DecompressionBombs_AreRefusedBeforePixelsAreAllocated()
    {
        string[] bombs = [.. Manifest.RootElement.GetProperty("images").EnumerateArray()
            .Where(image => image.GetProperty("pil").GetString()!.StartsWith("DecompressionBomb", StringComparison.Ordinal))
            .Select(image => image.GetProperty("file").GetString()!)];
        Assert.NotEmpty(bombs);
        foreach (string bomb in bombs)
        {
            byte[] encoded = File.ReadAllBytes(GoldenSet.PathOf("malformed", "images", bomb));
            long before = GC.GetAllocatedBytesForCurrentThread();
            string? refusal = Refusal(encoded, ImageDecoderOptions.Default);
            long allocated = GC.GetAllocatedBytesForCurrentThread() - before;
            TestContext.Current.TestOutputHelper?.WriteLine($"{bomb}: {refusal}; {allocated} bytes allocated");
            Assert.True(refusal is not null, bomb);
            Assert.True(refusal.Contains("are accepted", StringComparison.Ordinal) || refusal.Contains("header is broken", StringComparison.Ordinal), refusal);
            Assert.InRange(allocated, 0, MaxManagedBytes);
        }

        // The decoder's own memory: the smallest bomb would take 3.6 GB as RGBA.
        using var process = Process.GetCurrentProcess();
        Assert.InRange(process.PeakWorkingSet64, 1, MaxProcessBytes);
    }

    [Fact]
    public void Parse_EveryMalformedProcessor_IsRefusedOrReadAsExpected()
    {
        var compared = 0;
        foreach (JsonElement entry in Manifest.RootElement.GetProperty("models").EnumerateArray())
        {
            string name = entry.GetProperty("case").GetString()!;
            string path = GoldenSet.PathOf("malformed", "models", name, "preprocessor_config.json");
            if (!name.StartsWith("pre_", StringComparison.Ordinal) || !File.Exists(path))
                continue;
            string expect = entry.GetProperty("expect").GetString()!;
            string? refusal = Refusal(name, path);
            TestContext.Current.TestOutputHelper?.WriteLine($"{name} ({expect}): {refusal ?? "read"}");
            Assert.True(expect != "reject" || refusal is not null, $"{name} was read");
            Assert.True(expect != "accept" || refusal is null, $"{name}: {refusal}");
            Assert.True(refusal is null || refusal.Contains(path, StringComparison.Ordinal), $"the message does not name the file: {refusal}");
            compared++;
        }

        Assert.True(compared > 0, "no case pre_* was there");
    }

    static string? Refusal(ReadOnlySpan<byte> encoded, ImageDecoderOptions options)
    {
        try
        {
            ImageDecoder.Decode(encoded, options);
            return null;
        }
        catch (ImagingException exception)
        {
            return exception.Message;
        }
    }

    static string? Refusal(string name, string path)
    {
        JsonNode config = JsonNode.Parse(File.ReadAllText(GoldenSet.PathOf("malformed", "models", name, "config.json")))!;
        try
        {
            ImageProcessor.Parse(File.ReadAllText(path), path)
                .RequireFit(config["vocab_size"]!.GetValue<int>() - 1, config["n_positions"]!.GetValue<int>());
            return null;
        }
        catch (ImagingException exception)
        {
            return exception.Message;
        }
    }
}
