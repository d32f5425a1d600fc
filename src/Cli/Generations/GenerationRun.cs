using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Generations;

/// <summary>Follows a stream to its end, with progress, and writes what came of it. A stream without its ends is an error.</summary>
/// <param name="context">What the command works with.</param>
/// <param name="pictures">What to write.</param>
/// <param name="outlives">Whether the sessions go on when this client leaves.</param>
internal sealed class GenerationRun(CliContext context, PictureSettings pictures, bool outlives)
{
    static readonly TimeSpan FrameDelay = TimeSpan.FromMilliseconds(60);
    static readonly TimeSpan LastFrameDelay = TimeSpan.FromSeconds(2);

    readonly SortedDictionary<uint, SamplePicture> _samples = [];
    readonly Stopwatch _watch = Stopwatch.StartNew();
    int _tokens;

    /// <summary>Runs the stream.</summary>
    /// <param name="events">The stream; it goes on by itself where gateways are lost.</param>
    /// <param name="samples">Samples it must finish.</param>
    internal async Task<int> RunAsync(IAsyncEnumerable<GenerateEvent> events, int samples)
    {
        if (pictures.Output == PictureSettings.StandardOutput && (samples > 1 || context.IsJson))
        {
            throw new CliException(ExitCode.BadInput, "--output - writes one picture to standard output: give --samples 1 and no --json, or a file");
        }

        try
        {
            if (context.IsJson || context.IsQuiet)
            {
                await FollowAsync(events, _ => { });
            }
            else
            {
                await context.ErrorConsole.Progress()
                    .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new PercentageColumn(), new RemainingTimeColumn())
                    .StartAsync(progress => FollowAsync(events, Bars(progress)));
            }
        }
        catch (Exception interrupted) when (_samples.Count > 0 && interrupted is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            throw new CliException(ExitCode.Interrupted, $"interrupted{Kept()}{GoingOn()}");
        }
        catch (RpcException broken) when (_samples.Count > 0 && broken.StatusCode is not StatusCode.Cancelled)
        {
            string why = broken.StatusCode == StatusCode.DeadlineExceeded ? "it took longer than --timeout" : broken.Status.Detail;
            throw new CliException(ExitCode.Incomplete, $"the stream broke off ({why}). {HowToGoOn()}");
        }

        if (_samples.Count < samples || _samples.Values.Any(sample => sample.Finished is null))
        {
            throw new CliException(
                ExitCode.Incomplete,
                $"the stream ended with {_samples.Values.Count(sample => sample.Finished is not null)} of {samples} samples finished. {HowToGoOn()}");
        }

        return Finish();
    }

    async Task FollowAsync(IAsyncEnumerable<GenerateEvent> events, Action<GenerateEvent> show)
    {
        await foreach (GenerateEvent happened in events.WithCancellation(context.CancellationToken))
        {
            if (context.IsJson)
            {
                context.WriteJson(happened);
            }

            switch (happened.EventCase)
            {
                case GenerateEvent.EventOneofCase.Started:
                    _samples[happened.Sample] = new SamplePicture(happened.SessionId, happened.Started);
                    break;
                case GenerateEvent.EventOneofCase.Tokens:
                    _samples[happened.Sample].Add(happened.Tokens);
                    _tokens += happened.Tokens.Ids.Count;
                    break;
                case GenerateEvent.EventOneofCase.Finished:
                    _samples[happened.Sample].Finished = happened.Finished;
                    break;
            }

            show(happened);
        }
    }

    Action<GenerateEvent> Bars(ProgressContext progress)
    {
        var bars = new Dictionary<uint, ProgressTask>();
        return happened =>
        {
            SamplePicture sample = _samples[happened.Sample];
            if (!bars.TryGetValue(happened.Sample, out ProgressTask? bar))
            {
                uint from = sample.Started.ResumedFrom;
                bars[happened.Sample] = bar = progress.AddTask($"sample {happened.Sample}", maxValue: (sample.Started.Width * sample.Started.Height) - from);
            }

            bar.Increment(happened.Tokens?.Ids.Count ?? 0);
            bar.Description = string.Create(CultureInfo.InvariantCulture, $"sample {happened.Sample}, {_tokens / _watch.Elapsed.TotalSeconds:0} pixels/s in all");
            if (happened.EventCase == GenerateEvent.EventOneofCase.Finished)
            {
                bar.StopTask();
            }
        };
    }

    int Finish()
    {
        int exit = ExitCode.Ok;
        int number = 0;
        foreach ((uint index, SamplePicture sample) in _samples)
        {
            GenerationFinished finished = sample.Finished!;
            List<string> written = sample.HasColours ? Write(sample, number) : [];
            if (!context.IsJson && pictures.Output != PictureSettings.StandardOutput)
            {
                string end = finished.Message.Length > 0 ? $"{finished.Reason}: {finished.Message}" : finished.Reason.ToString();
                context.WriteLine(
                    $"sample {index}: {end.ToLowerInvariant()}, {finished.Usage.GeneratedTokens} pixels, seed {sample.Started.Seed}, session {sample.SessionId}{(written.Count > 0 ? $", wrote {string.Join(" and ", written)}" : "")}");
            }

            exit = finished.Reason is FinishReason.Completed or FinishReason.Length ? exit : ExitCode.Incomplete;
            number++;
        }

        return exit;
    }

    List<string> Write(SamplePicture sample, int number)
    {
        List<string> written = [];
        byte[] picture = PngEncoder.Encode(sample.Still(pictures.Scale));
        if (pictures.Output == PictureSettings.StandardOutput)
        {
            CliContext.WriteBytes(picture);
        }
        else
        {
            written.Add(PictureSettings.Numbered(pictures.Output, number, _samples.Count));
            File.WriteAllBytes(written[0], picture);
        }

        if (pictures.Animation is { } animation)
        {
            string path = PictureSettings.Numbered(animation, number, _samples.Count);
            List<RgbImage> frames = sample.Frames(pictures.Scale);
            File.WriteAllBytes(path, Path.GetExtension(path).Equals(".webp", StringComparison.OrdinalIgnoreCase)
                ? AnimatedWebP.Encode(frames, FrameDelay, LastFrameDelay)
                : ApngEncoder.Encode(frames, FrameDelay, LastFrameDelay));
            written.Add(path);
        }

        return written;
    }

    /// <summary>Writes the pictures as far as they are made, and says which.</summary>
    string Kept()
    {
        string[] written = [.. _samples.Values.Select((sample, number) => (sample, number)).Where(pair => pair.sample.HasColours).SelectMany(pair => Write(pair.sample, pair.number))];
        return written.Length > 0 ? $": wrote {string.Join(" and ", written)} as far as made" : "";
    }

    /// <summary>The sessions that go on without this client, and how to follow each, a line for each.</summary>
    string GoingOn() => outlives
        ? string.Concat(_samples.Values.Where(sample => sample.Finished is null).Select(sample => $"\nsession {sample.SessionId} goes on; follow it with: igpt sessions attach {sample.SessionId}"))
        : "";

    string HowToGoOn() => _samples.Values.FirstOrDefault(sample => sample.Finished is null) is { } open
        ? $"If the session is still there, follow it with: igpt sessions attach {open.SessionId}"
        : _samples.Count == 0 ? "Nothing had been made yet." : "Those that had started were finished; the others had not begun: run it again.";
}
