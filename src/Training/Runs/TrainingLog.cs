using System.Text.Json;

namespace IgptCluster.Training.Runs;

/// <summary>The history of a training as JSON lines in <c>log.jsonl</c>: a line each step, and one each look at held-out images. One thread.</summary>
internal sealed class TrainingLog : IDisposable
{
    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = System.Text.Json.Serialization.JsonIgnoreCondition.WhenWritingNull };

    readonly StreamWriter _file;
    readonly List<LogEntry> _entries;

    /// <summary>Opens the log of a folder and forgets what came after a step: a resumed training takes those steps again.</summary>
    /// <param name="folder">The folder that the training writes.</param>
    /// <param name="stepsTaken">The last step to keep; 0 begins anew.</param>
    internal TrainingLog(string folder, long stepsTaken)
    {
        string path = Path.Combine(folder, "log.jsonl");
        _entries = File.Exists(path)
            ? [.. File.ReadLines(path).Select(Parse).OfType<LogEntry>().Where(entry => entry.Step <= stepsTaken)]
            : [];
        _file = new StreamWriter(path) { NewLine = "\n" };
        _entries.ForEach(Write);
        _file.Flush();
    }

    /// <summary>All entries, in order.</summary>
    internal IReadOnlyList<LogEntry> Entries => _entries;

    /// <summary>Appends an entry.</summary>
    internal void Add(LogEntry entry)
    {
        _entries.Add(entry);
        Write(entry);
        _file.Flush();
    }

    /// <summary>Bits per dimension, as the paper reports: a pixel is three dimensions.</summary>
    /// <param name="nats">Nats per token.</param>
    internal static double BitsPerDim(double nats) => nats / Math.Log(2) / 3;

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    void Write(LogEntry entry) => _file.WriteLine(JsonSerializer.Serialize(entry, Json));

    // A crash may have cut the last line short.
    static LogEntry? Parse(string line)
    {
        try
        {
            return JsonSerializer.Deserialize<LogEntry>(line, Json);
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>One line of the log.</summary>
internal sealed record LogEntry
{
    /// <summary>The step, from 1; 0 for a look at held-out images before the first.</summary>
    public required long Step { get; init; }

    /// <summary>Mean loss of the step's images before it: nats per token, or fine-tuning's joint loss; null for a look at held-out images.</summary>
    public double? Loss { get; init; }

    /// <summary>Mean loss of held-out images after the step, nats per token.</summary>
    public double? HeldOutLoss { get; init; }

    /// <summary>Share of held-out images whose class is told, 0 to 1; of classifiers.</summary>
    public double? HeldOutAccuracy { get; init; }

    /// <summary>The loss in bits per dimension: nats / ln 2 / 3, three dimensions a pixel.</summary>
    public double? BitsPerDim { get; init; }

    /// <summary>Learning rate.</summary>
    public double? LearningRate { get; init; }

    /// <summary>Norm of the gradients before clipping.</summary>
    public double? GradientNorm { get; init; }

    /// <summary>Images per second of this step.</summary>
    public double? ImagesPerSecond { get; init; }
}
