using System.CommandLine;
using Google.Protobuf.WellKnownTypes;
using IgptCluster.Cli.Generations;
using IgptCluster.CommandLine;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt complete</c> and <c>igpt generate</c>.</summary>
internal sealed class GenerationCommands
{
    // Of 365 days; gateways take less.
    const double MostSeconds = 365 * 24 * 3600;

    readonly Option<string> _model = EvaluationCommands.ModelOption();
    readonly Option<uint> _samples = NumberOption.Create<uint>("--samples", "Images to make.", 1, 1, 10_000);
    readonly SamplingOptions _sampling = new();
    readonly Option<uint?> _maxNewTokens = NumberOption.CreateOptional<uint>("--max-new-tokens", "Pixels to make at most; default to the end.", 1, int.MaxValue);
    readonly Option<double?> _ttl = NumberOption.CreateOptional<double>("--ttl", "Seconds the session outlives this client; default: it ends with it, unless it is cut off, then 300.", 0, MostSeconds);
    readonly Option<int> _priority = NumberOption.Create<int>("--priority", "Higher is served first.", 0, -100, 100);
    readonly PictureOptions _pictures;

    GenerationCommands(string output) => _pictures = new PictureOptions(output);

    internal static Command[] Create(CliApplication application) => [Complete(application), Generate(application)];

    static Command Complete(CliApplication application)
    {
        var options = new GenerationCommands("completion.png");
        var image = new Argument<string>("image") { Description = "Image file to complete; - is standard input." };
        Option<uint?> keep = NumberOption.CreateOptional<uint>("--keep", "Pixels to keep, in raster order; default the upper half.", 0, int.MaxValue);
        var command = new Command("complete", "Keeps the beginning of an image and lets the model paint the rest.") { image, keep };
        options.AddTo(command);
        application.SetAction(command, async (parsed, context) =>
        {
            GenerateRequest request = options.Read(parsed);
            request.Prompt = await ImageFiles.ReadAsync(parsed.GetRequiredValue(image), context.CancellationToken);
            if (parsed.GetValue(keep) is { } kept)
            {
                request.PromptTokens = kept;
            }

            return await options.RunAsync(parsed, context, request);
        });
        return command;
    }

    static Command Generate(CliApplication application)
    {
        var options = new GenerationCommands("generated.png");
        var command = new Command("generate", "Lets the model paint an image from nothing.");
        options.AddTo(command);
        application.SetAction(command, (parsed, context) => options.RunAsync(parsed, context, options.Read(parsed)));
        return command;
    }

    void AddTo(Command command)
    {
        foreach (System.CommandLine.Option option in (System.CommandLine.Option[])[_model, _samples, _maxNewTokens, _ttl, _priority])
        {
            command.Add(option);
        }

        _sampling.AddTo(command);
        _pictures.AddTo(command);
    }

    GenerateRequest Read(ParseResult parsed)
    {
        var request = new GenerateRequest
        {
            Model = parsed.GetRequiredValue(_model),
            Samples = parsed.GetValue(_samples),
            Sampling = _sampling.Read(parsed) ?? new SamplingParameters(),
            Priority = parsed.GetValue(_priority),
            Forced = { _sampling.ReadForced(parsed) },
        };
        if (parsed.GetValue(_maxNewTokens) is { } most)
        {
            request.MaxNewTokens = most;
        }

        if (parsed.GetValue(_ttl) is { } seconds)
        {
            request.SessionTtl = Duration.FromTimeSpan(TimeSpan.FromSeconds(seconds));
        }

        return request;
    }

    Task<int> RunAsync(ParseResult parsed, CliContext context, GenerateRequest request) => new GenerationRun(context, _pictures.Read(parsed), outlives: parsed.GetValue(_ttl) > 0).RunAsync(
        context.Client.GenerateAsync(request, context.Deadline, context.CancellationToken), (int)request.Samples);
}
