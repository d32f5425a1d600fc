using IgptCluster.Imaging;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli.Generations;

/// <summary>One sample as it is being made.</summary>
/// <param name="sessionId">Its session.</param>
/// <param name="beginning">How it began.</param>
internal sealed class SamplePicture(string sessionId, GenerationStarted beginning)
{
    const byte Gray = 128;

    readonly List<byte> _rgb = [.. beginning.PromptRgb];

    internal string SessionId { get; } = sessionId;

    internal GenerationStarted Started => beginning;

    internal GenerationFinished? Finished { get; set; }

    /// <summary>Whether every pixel from the first on is known: not if attached in the middle, or if the model has no palette.</summary>
    internal bool HasColours => Started.ResumedFrom == Started.PromptTokens && (_rgb.Count > 0 || Started.PromptTokens == 0);

    int Pixels => (int)(Started.Width * Started.Height);

    internal void Add(GeneratedTokens tokens) => _rgb.AddRange(tokens.Rgb);

    /// <summary>The image so far; the rest is gray.</summary>
    internal RgbImage Still(int scale) => Render(_rgb.Count / 3).Upscale(scale);

    /// <summary>Frames of half a row each, from the prompt to what there is.</summary>
    internal List<RgbImage> Frames(int scale)
    {
        int end = _rgb.Count / 3;
        int step = Math.Max(1, (int)Started.Width / 2);
        var frames = new List<RgbImage>();
        for (int shown = (int)Started.PromptTokens; shown < end; shown += step)
        {
            frames.Add(Render(shown).Upscale(scale));
        }

        frames.Add(Render(end).Upscale(scale));
        return frames;
    }

    RgbImage Render(int shown)
    {
        byte[] pixels = new byte[Pixels * 3];
        pixels.AsSpan().Fill(Gray);
        _rgb[..(shown * 3)].CopyTo(pixels);
        return new RgbImage((int)Started.Width, (int)Started.Height, pixels);
    }
}
