using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Sampling;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Training.Reports;

/// <summary>
/// Completions of lower halves, a row an image: the original, the half that is kept, samples, and the most likely colours throughout (greedy). Drawn by
/// the engine and runner that serve.
/// </summary>
internal static class CompletionSheet
{
    const int Scale = 3;
    const int Slots = 20;

    /// <summary>Draws a sheet.</summary>
    /// <param name="network">A network with the causal head; disposed.</param>
    /// <param name="images">The images, a row each.</param>
    /// <param name="processor">Palette and size.</param>
    /// <param name="samples">Samples of each at temperature 1.</param>
    /// <param name="seed">Seed of the samples.</param>
    internal static RgbImage Draw(ImageGpt network, TokenDataset images, ImageProcessor processor, int samples, ulong seed)
    {
        int[][] tokens = CompleteAsync(network, images, samples, seed).GetAwaiter().GetResult();
        int perImage = samples + 1;
        return ContactSheet.Compose([.. Enumerable.Range(0, images.Count).Select(image => (IReadOnlyList<RgbImage>)
        [
            Render(Original(images, image)),
            Render(Kept(images, image)),
            .. tokens.AsSpan(image * perImage, perImage).ToArray().Select(Render),
        ])]);

        RgbImage Render(int[] shown) => TokenImage.Render(processor.Palette, shown, images.Width, images.Height).Upscale(Scale);
    }

    static async Task<int[][]> CompleteAsync(ImageGpt network, TokenDataset images, int samples, ulong seed)
    {
        await using var loop = new EngineLoop(
            new EngineOptions { MaxWaiting = images.Count * (samples + 1) },
            () => new TorchModelRunner(network, new TorchRunnerOptions { Slots = Slots }),
            TimeProvider.System,
            NullLogger.Instance);
        await loop.StartAsync();
        var streams = new List<(int[] Kept, Generation Stream)>();
        for (int image = 0; image < images.Count; image++)
        {
            for (int sample = 0; sample <= samples; sample++)
            {
                int[] kept = Kept(images, image);
                var request = new GenerationRequest
                {
                    Id = new SequenceId($"{image}-{sample}"),
                    Prompt = kept,
                    MaxNewTokens = images.Length - kept.Length,
                    Sampling = new SamplingParameters { Temperature = sample < samples ? 1 : 0, Seed = seed, Sample = (uint)sample },
                };
                streams.Add(loop.TrySubmit(request, out Generation? stream) == SubmitOutcome.Accepted
                    ? (kept, stream!)
                    : throw new InvalidOperationException("the engine refused a completion that its queue has room for"));
            }
        }

        var completed = new List<int[]>();
        foreach ((int[] kept, Generation stream) in streams)
        {
            var tokens = new List<int>(kept);
            await foreach (GeneratedToken token in stream.Tokens.ReadAllAsync())
                tokens.Add(token.Token);
            completed.Add([.. tokens]);
        }

        return [.. completed];
    }

    static int[] Original(TokenDataset images, int index) => Array.ConvertAll(images[index].ToArray(), token => (int)token);

    // The upper half, as Generate keeps where nothing else is asked for.
    static int[] Kept(TokenDataset images, int index) => Original(images, index)[..(images.Height / 2 * images.Width)];
}
