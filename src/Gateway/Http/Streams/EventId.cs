using System.Globalization;
using System.Text;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Generations;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Http.Streams;

/// <summary>
/// The id of a stream's events: what the client has been told of each sample, in the samples' order, with commas between. Of a sample that is the raster position behind its last token; <c>r2</c> behind it says
/// that the session has been rewound twice, <c>f</c> that <c>finished</c> was sent. Nothing has been sent of a sample that is left empty. So the id of one sample's stream is a position, and a stream of
/// several goes on from its last id as one does. One writer.
/// </summary>
/// <param name="samples">What has been told; null: nothing.</param>
internal sealed class EventId(ToldSample?[] samples)
{
    /// <summary>The header in which a client sends the last id it has seen.</summary>
    public const string Header = "Last-Event-ID";

    const int MostSamples = 1024;

    /// <summary>What has been told of each sample.</summary>
    public IReadOnlyList<ToldSample?> Samples => samples;

    /// <summary>Whether the client has been told of the end of all.</summary>
    public bool IsFinished => samples.All(sample => sample is { IsFinished: true });

    /// <summary>Nothing has been told yet.</summary>
    /// <param name="count">Number of samples.</param>
    public static EventId Nothing(int count) => new(new ToldSample?[count]);

    /// <summary>The id that a request sends; null if it sends none.</summary>
    /// <param name="request">The request.</param>
    /// <exception cref="IgptException">InvalidArgument: it is none of ours.</exception>
    public static EventId? Of(HttpRequest request)
    {
        string text = request.Headers[Header].ToString();
        if (text.Length == 0)
        {
            return null;
        }

        string[] parts = text.Split(',', MostSamples + 1);
        ToldSample?[] samples = [.. parts.Select(Parse)];
        Require.That(
            parts.Length <= MostSamples && parts.Zip(samples).All(pair => pair.First.Length == 0 || pair.Second is not null),
            Header,
            $"must be the id of an event of the stream; given {Echo.Quoted(text)}: leave the header out to begin at the prompt's end");
        return new EventId(samples);
    }

    /// <summary>Counts an event as told.</summary>
    /// <param name="index">The sample's place in the id.</param>
    /// <param name="happened">The event.</param>
    public void Tell(int index, GenerateEvent happened) => samples[index] = happened.EventCase switch
    {
        GenerateEvent.EventOneofCase.Started => new ToldSample((int)happened.Started.ResumedFrom, (int)happened.Started.Rewinds),
        GenerateEvent.EventOneofCase.Tokens => (samples[index] ?? default) with { Position = (int)happened.Tokens.Position + happened.Tokens.Ids.Count },
        GenerateEvent.EventOneofCase.Finished => (samples[index] ?? default) with { IsFinished = true },
        _ => samples[index],
    };

    /// <inheritdoc/>
    public override string ToString()
    {
        var text = new StringBuilder();
        for (int i = 0; i < samples.Length; i++)
        {
            text.Append(i > 0 ? "," : "");
            if (samples[i] is { } sample)
            {
                text.Append(CultureInfo.InvariantCulture, $"{sample.Position}");
                text.Append(sample.Rewinds > 0 ? string.Create(CultureInfo.InvariantCulture, $"r{sample.Rewinds}") : "").Append(sample.IsFinished ? "f" : "");
            }
        }

        return text.ToString();
    }

    static ToldSample? Parse(string part)
    {
        bool isFinished = part.EndsWith('f');
        string[] numbers = part.TrimEnd('f').Split('r');
        return part.Length < 24 && numbers.Length <= 2 && Number(numbers[0]) is { } position && (numbers.Length == 1 ? 0 : Number(numbers[1])) is { } rewinds
            ? new ToldSample(position, rewinds, isFinished)
            : null;
    }

    static int? Number(string text) => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) ? number : null;
}
