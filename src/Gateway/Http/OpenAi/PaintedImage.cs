using Grpc.Core;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Http.OpenAi;

/// <summary>One sample as its events come. One thread.</summary>
/// <param name="request">How it is to be answered.</param>
internal sealed class PaintedImage(ImagesRequest request)
{
    const byte Gray = 128;

    readonly List<byte> _rgb = [];
    GenerationStarted _started = new();

    /// <summary>Its session.</summary>
    public string SessionId { get; private set; } = "";

    /// <summary>What it cost; null while it is not complete.</summary>
    public Usage? Usage { get; private set; }

    /// <summary>Width and height of the answer.</summary>
    public string Size => $"{_started.Width * request.Scale}x{_started.Height * request.Scale}";

    /// <summary>Takes an event.</summary>
    /// <param name="happened">The event.</param>
    /// <returns>The places, of <see cref="ImagesRequest.PartialImages"/>, that the image has come past with it.</returns>
    /// <exception cref="RpcException">The sample ended before it was complete.</exception>
    public IEnumerable<int> Take(GenerateEvent happened)
    {
        switch (happened.EventCase)
        {
            case GenerateEvent.EventOneofCase.Started:
                (SessionId, _started) = (happened.SessionId, happened.Started);
                _rgb.AddRange(_started.PromptRgb);
                break;
            case GenerateEvent.EventOneofCase.Tokens:
                int before = _rgb.Count / 3;
                _rgb.AddRange(happened.Tokens.Rgb);
                int after = _rgb.Count / 3;
                return Enumerable.Range(0, request.PartialImages).Where(index => PlaceOf(index) > before && PlaceOf(index) <= after);
            case GenerateEvent.EventOneofCase.Finished when happened.Finished.Reason == FinishReason.Completed:
                Usage = happened.Finished.Usage;
                break;
            case GenerateEvent.EventOneofCase.Finished:
                string why = happened.Finished.Message.Length > 0 ? $": {happened.Finished.Message}" : "";
                throw new RpcException(new Status(StatusCode.Aborted, $"the image was not completed, it was {happened.Finished.Reason.ToString().ToLowerInvariant()}{why}"));
        }

        return [];
    }

    /// <summary>The image as it was at one of its places.</summary>
    /// <param name="index">Which.</param>
    public string Partial(int index) => Encode(PlaceOf(index));

    /// <summary>The image as far as it is made.</summary>
    public string Whole() => Encode(_rgb.Count / 3);

    /// <summary>Pixels at which it is shown, evenly between the prompt's end and the image's.</summary>
    int PlaceOf(int index)
    {
        int pixels = (int)(_started.Width * _started.Height);
        return (int)_started.PromptTokens + ((pixels - (int)_started.PromptTokens) * (index + 1) / (request.PartialImages + 1));
    }

    string Encode(int pixels)
    {
        byte[] rgb = new byte[_started.Width * _started.Height * 3];
        rgb.AsSpan(pixels * 3).Fill(Gray);
        _rgb.CopyTo(0, rgb, 0, pixels * 3);
        RgbImage image = new RgbImage((int)_started.Width, (int)_started.Height, rgb).Upscale(request.Scale);
        return Convert.ToBase64String(request.Format == "png" ? PngEncoder.Encode(image) : AnimatedWebP.Encode([image], TimeSpan.Zero, TimeSpan.Zero));
    }
}
