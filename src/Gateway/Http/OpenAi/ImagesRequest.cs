using System.Globalization;
using Google.Protobuf.WellKnownTypes;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Imaging.Processing;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Http.OpenAi;

/// <summary>A request of OpenAI's images API, checked.</summary>
/// <param name="Generate">What is to be generated; its prompt is not set yet.</param>
/// <param name="Scale">How many pixels of the answer's side are one of the model's.</param>
/// <param name="Format"><c>png</c> or <c>webp</c>.</param>
/// <param name="IsUrl">Whether images are answered as addresses.</param>
/// <param name="IsStream">Whether the answer is a stream.</param>
/// <param name="PartialImages">How often a stream shows an image before it is complete, 0 … 3.</param>
internal sealed record ImagesRequest(GenerateRequest Generate, int Scale, string Format, bool IsUrl, bool IsStream, int PartialImages)
{
    const int MostScale = 32;

    // OpenAI's addresses can be fetched for 60 minutes.
    static readonly Duration UrlLifetime = Duration.FromTimeSpan(TimeSpan.FromHours(1));

    /// <summary>Reads a request.</summary>
    /// <param name="fields">Its fields.</param>
    /// <param name="model">Its model.</param>
    /// <param name="processor">The model's images.</param>
    /// <param name="mostSamples">Most images of one request.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static ImagesRequest Read(OpenAiFields fields, string model, ImageProcessor processor, int mostSamples)
    {
        string prompt = fields.Text("prompt").Trim();
        Require.That(prompt.Length == 0, "prompt", $"must be empty, since the model continues pixels and understands no text; given {Echo.Quoted(prompt)}: leave it empty, or send a picture to /v1/images/edits");
        string format = fields.Choice("output_format", "png", "webp");
        bool isStream = fields.IsOn("stream");
        bool isUrl = fields.Choice("response_format", "b64_json", "url") == "url";
        Require.That(!isUrl || (format == "png" && !isStream), "response_format", "url is for PNG without a stream; given another output_format or a stream: ask for b64_json");
        _ = fields.Choice("background", "auto", "opaque");
        var request = new GenerateRequest { Model = model, Samples = fields.Number<uint>("n", 1, (uint)mostSamples) ?? 1, Sampling = Sampling(fields) };
        if (isUrl)
        {
            request.SessionTtl = UrlLifetime;
        }

        return new ImagesRequest(request, ScaleOf(fields.Text("size"), processor), format, isUrl, isStream, fields.Number("partial_images", 0, 3) ?? 0);
    }

    static SamplingParameters Sampling(OpenAiFields fields)
    {
        var sampling = new SamplingParameters();
        if (fields.Number("temperature", 0, double.MaxValue) is { } temperature)
        {
            sampling.Temperature = temperature;
        }

        if (fields.Number<uint>("top_k", 0, uint.MaxValue) is { } topK)
        {
            sampling.TopK = topK;
        }

        if (fields.Number("top_p", 0, 1.0) is { } topP)
        {
            sampling.TopP = topP;
        }

        if (fields.Number<ulong>("seed", 0, ulong.MaxValue) is { } seed)
        {
            sampling.Seed = seed;
        }

        return sampling;
    }

    static int ScaleOf(string size, ImageProcessor processor)
    {
        if (size is "" or "auto")
        {
            return 1;
        }

        string[] sides = size.Split('x');
        int scale = sides.Length == 2 && int.TryParse(sides[0], NumberStyles.None, CultureInfo.InvariantCulture, out int width) && width % processor.Width == 0 ? width / processor.Width : 0;
        Require.That(
            scale is >= 1 and <= MostScale && size == $"{processor.Width * scale}x{processor.Height * scale}",
            "size",
            $"must be auto, or {processor.Width}x{processor.Height} times a whole number up to {MostScale}, such as {processor.Width * 8}x{processor.Height * 8}; given {Echo.Quoted(size)}");
        return scale;
    }
}
