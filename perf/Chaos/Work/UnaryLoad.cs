using System.Diagnostics;
using IgptCluster.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Chaos.Work;

/// <summary>Scores and classifies one after the other by the client library: none may fail, and each must give what the first gave.</summary>
/// <param name="client">The client.</param>
/// <param name="model">The model.</param>
/// <param name="seed">Of the images.</param>
/// <param name="isExact">Whether the same bits are to come; else the same up to rounding.</param>
internal sealed class UnaryLoad(IgptClient client, Model model, int seed, bool isExact, Violations violations)
{
    const int Images = 4;
    const int Labels = 3;
    const double Rounding = 1e-3;
    const string Head = "chaos";
    static readonly TimeSpan Slow = TimeSpan.FromSeconds(5); // told at once, to be looked up in the logs
    static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(200);

    readonly ImageGpt.ImageGptClient _calls = new(client.Invoker);
    readonly ImageInput[] _images = MakeImages(model, seed);
    readonly object?[] _first = new object?[2 * Images];
    int _answered;

    internal int Answered => _answered;

    /// <summary>Longest call, s.</summary>
    internal double Longest { get; private set; }

    /// <summary>Puts a classifier head and asks for everything once.</summary>
    internal async Task PrepareAsync()
    {
        var head = new PutHeadRequest { Model = model.Name, Head = Head, Layer = model.Layers, Labels = { "a", "b", "c" } };
        var random = new Random(seed);
        head.Weight.AddRange(Enumerable.Range(0, Labels * (int)model.EmbeddingSize).Select(_ => (float)((2 * random.NextDouble()) - 1)));
        await new Models.ModelsClient(client.Invoker).PutHeadAsync(head);
        for (int i = 0; i < _first.Length; i++)
        {
            await AskAsync(i);
        }
    }

    internal async Task RunAsync(CancellationToken stop)
    {
        for (int i = 0; !stop.IsCancellationRequested; i++)
        {
            await AskAsync(i % _first.Length);
            await Task.Delay(Interval, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    async Task AskAsync(int which)
    {
        long start = Stopwatch.GetTimestamp();
        try
        {
            ImageInput image = _images[which % Images];
            object answer = which < Images
                ? await _calls.ScoreAsync(new ScoreRequest { Model = model.Name, Images = { image }, PerToken = true })
                : await _calls.ClassifyAsync(new ClassifyRequest { Model = model.Name, Head = Head, Images = { image } });
            _first[which] ??= answer;
            double difference = Numbers(answer).Zip(Numbers(_first[which]!)).Max(pair => Math.Abs(pair.First - pair.Second));
            if (isExact ? !answer.Equals(_first[which]) : !(difference < Rounding))
            {
                violations.Add($"{answer.GetType().Name} {which} is another than before, by up to {difference:G3}");
            }
        }
        catch (Exception failure)
        {
            violations.Add($"a unary call failed: {failure.Message}");
        }

        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        Longest = Math.Max(Longest, seconds);
        if (seconds > Slow.TotalSeconds)
        {
            Console.WriteLine($"{DateTime.UtcNow:HH:mm:ss.fff} {(which < Images ? "a score" : "a classification")} took {seconds:0.0} s");
        }

        _answered++;
    }

    static IEnumerable<double> Numbers(object answer) => answer switch
    {
        ScoreResponse score => score.Results[0].LogProbs.Select(logProb => (double)logProb),
        ClassifyResponse classes => classes.Results[0].Scores.Select(label => (double)label.Logit),
        _ => throw new ArgumentOutOfRangeException(nameof(answer)),
    };

    static ImageInput[] MakeImages(Model model, int seed)
    {
        var random = new Random(seed);
        int vocabulary = Math.Max(64, model.Palette.Length / 3);
        return [.. Enumerable.Range(0, Images).Select(_ => new ImageInput { Tokens = Variant.Grid(model, (int)model.Height, vocabulary, random) })];
    }
}
