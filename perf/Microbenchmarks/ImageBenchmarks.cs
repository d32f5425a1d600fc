using BenchmarkDotNet.Attributes;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Decoding;
using IgptCluster.Imaging.Processing;

namespace IgptCluster.Microbenchmarks;

/// <summary>What a gateway does with a picture.</summary>
[MemoryDiagnoser]
public class ImageBenchmarks
{
    readonly byte[] _png = File.ReadAllBytes(Directory.EnumerateFiles(Path.Combine(AppContext.BaseDirectory, "images"), "*.png").Order(StringComparer.Ordinal).First());
    ImageProcessor _processor = null!;
    RgbImage _image = null!;

    [GlobalSetup]
    public void Setup()
    {
        string clusters = string.Join(',', Enumerable.Range(0, 512).Select(i => FormattableString.Invariant($"[{(i % 8 / 3.5) - 1},{(i / 8 % 8 / 3.5) - 1},{(i / 64 / 3.5) - 1}]")));
        _processor = ImageProcessor.Parse($$"""{"do_resize": true, "do_normalize": true, "size": {"height": 32, "width": 32}, "resample": 2, "clusters": [{{clusters}}]}""");
        _image = ImageDecoder.Decode(_png);
    }

    [Benchmark]
    public RgbImage DecodePng() => ImageDecoder.Decode(_png);

    [Benchmark]
    public int[] ResizeAndQuantize() => _processor.Tokenize(_image);
}
