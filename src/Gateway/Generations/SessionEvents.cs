using Google.Protobuf;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Messages;
using IgptCluster.Gateway.Models;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Generations;

/// <summary>Turns one session's updates into the events of one stream. One reader at a time.</summary>
/// <param name="model">The session's model.</param>
/// <param name="id">The session.</param>
/// <param name="spec">What it generates.</param>
/// <param name="options">What the stream carries.</param>
/// <param name="fromPosition">Raster position of the first token delivered.</param>
internal sealed class SessionEvents(ServedModel model, SessionId id, GenerationSpec spec, StreamOptions options, int fromPosition)
{
    // The whole image is needed where it is asked for as PNG, whatever part of it is delivered.
    readonly List<int> _image = [.. spec.Prompt];

    /// <summary>Where to begin reading the session.</summary>
    public int ReadFrom => options.IncludePng ? spec.Prompt.Length : fromPosition;

    /// <summary>Most events the session can give.</summary>
    public int MostEvents => spec.EndPosition - spec.Prompt.Length + 2;

    /// <summary>The first event.</summary>
    /// <param name="rewinds">How often the session has been rewound.</param>
    public GenerateEvent Started(int rewinds) => Event(new GenerateEvent
    {
        Started = new GenerationStarted
        {
            Model = spec.Model,
            Seed = spec.Sampling.Seed,
            Sampling = spec.Sampling.ToMessage(),
            Width = (uint)spec.Width,
            Height = (uint)spec.Height,
            PromptTokens = (uint)spec.Prompt.Length,
            ResumedFrom = (uint)fromPosition,
            PromptRgb = Rgb(spec.Prompt),
            Rewinds = (uint)rewinds,
        },
    });

    /// <summary>The event of an update; null if it tells nothing new.</summary>
    /// <param name="update">The session's next update.</param>
    public GenerateEvent? Next(SessionUpdate update)
    {
        if (update.Result is { } result)
        {
            return Event(new GenerateEvent { Finished = Finished(update.Position, result) });
        }

        if (options.IncludePng)
        {
            _image.AddRange(update.Tokens);
        }

        int skip = Math.Clamp(fromPosition - update.Position, 0, update.Tokens.Length);
        return skip == update.Tokens.Length ? null : Event(new GenerateEvent { Tokens = Tokens(update.Position + skip, update.Tokens.AsSpan(skip)) });
    }

    GenerateEvent Event(GenerateEvent happened)
    {
        happened.SessionId = id.ToString();
        happened.Sample = (uint)spec.Sample;
        return happened;
    }

    GeneratedTokens Tokens(int position, ReadOnlySpan<int> tokens)
    {
        var message = new GeneratedTokens { Position = (uint)position, Rgb = Rgb(tokens) };
        foreach (int token in tokens)
        {
            message.Ids.Add((uint)token);
        }

        return message;
    }

    ByteString Rgb(ReadOnlySpan<int> tokens)
    {
        if (options.OmitRgb || model.Processor is not { } processor)
        {
            return ByteString.Empty;
        }

        byte[] rgb = new byte[tokens.Length * 3];
        for (int i = 0; i < tokens.Length; i++)
        {
            processor.Palette.Rgb.Slice(tokens[i] * 3, 3).CopyTo(rgb.AsSpan(i * 3));
        }

        return UnsafeByteOperations.UnsafeWrap(rgb);
    }

    GenerationFinished Finished(int end, SessionResult result)
    {
        var message = new GenerationFinished
        {
            Reason = SessionMessages.ToReason(result.End),
            Message = result.Message,
            Timings = result.Timings.ToMessage(),
            Usage = new Usage
            {
                Images = spec.Prompt.Length > 0 ? 1u : 0,
                PromptTokens = (uint)spec.Prompt.Length,
                GeneratedTokens = (uint)(end - spec.Prompt.Length),
            },
        };
        if (options.IncludePng && model.Processor is { } processor)
        {
            RgbImage image = TokenImage.Render(processor.Palette, _image.ToArray(), spec.Width, spec.Height);
            int scale = (int)Math.Max(1, options.PngScale);
            message.Png = UnsafeByteOperations.UnsafeWrap(PngEncoder.Encode(scale == 1 ? image : image.Upscale(scale)));
        }

        return message;
    }
}
