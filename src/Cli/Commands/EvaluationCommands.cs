using System.CommandLine;
using System.Globalization;
using IgptCluster.CommandLine;
using IgptCluster.Protocol.V1;
using Spectre.Console;

namespace IgptCluster.Cli.Commands;

/// <summary><c>igpt classify</c>, <c>embed</c>, <c>score</c>.</summary>
internal static class EvaluationCommands
{
    internal static Command[] Create(CliApplication application) => [Classify(application), Embed(application), Score(application)];

    internal static Option<string> ModelOption() => new("--model") { Description = "Model name; default the cluster's.", DefaultValueFactory = _ => "" };

    static Argument<string[]> ImagesArgument() => new("image") { Description = "Image files (PNG, JPEG, WebP, GIF, BMP); - is standard input.", Arity = ArgumentArity.OneOrMore };

    static Command Classify(CliApplication application)
    {
        Argument<string[]> images = ImagesArgument();
        Option<string> model = ModelOption();
        var head = new Option<string>("--head") { Description = "Classifier head; default the model's first.", DefaultValueFactory = _ => "" };
        var more = new Option<string[]>("--more-heads") { Description = "Further heads to ask at no further pass; * is all of the model's.", AllowMultipleArgumentsPerToken = true };
        Option<uint> top = NumberOption.Create<uint>("--top", "Classes to show.", 5, 1, int.MaxValue);
        var command = new Command("classify", "Names what images show.") { images, model, head, more, top };
        application.SetAction(command, async (parsed, context) =>
        {
            string[] paths = parsed.GetRequiredValue(images);
            var request = new ClassifyRequest
            {
                Model = parsed.GetRequiredValue(model),
                Head = parsed.GetRequiredValue(head),
                TopK = parsed.GetValue(top),
                MoreHeads = { parsed.GetValue(more) ?? [] },
                Images = { await ImageFiles.ReadAllAsync(paths, context.CancellationToken) },
            };
            ClassifyResponse response = await new ImageGpt.ImageGptClient(context.Invoker).ClassifyAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken);
            if (context.IsJson)
            {
                context.WriteJson(response);
                return ExitCode.Ok;
            }

            Table table = new Table().AddColumns("image", "class", "probability", "logit");
            foreach ((string path, Classification result) in paths.Zip(response.Results))
            {
                AddScores(table, path, result.Scores);
                foreach (HeadScores other in result.More)
                {
                    AddScores(table, $"  {other.Head}", other.Scores);
                }
            }

            context.Write(table);
            return ExitCode.Ok;
        });
        return command;
    }

    static void AddScores(Table table, string name, IEnumerable<ClassScore> scores)
    {
        foreach ((int rank, ClassScore score) in scores.Index())
        {
            table.AddRow(Cell.Of(rank == 0 ? name : ""), Cell.Of(score.Label), Number($"{score.Probability:P1}"), Number($"{score.Logit:0.000}"));
        }
    }

    static Command Embed(CliApplication application)
    {
        Argument<string[]> images = ImagesArgument();
        Option<string> model = ModelOption();
        Option<uint?> layer = NumberOption.CreateOptional<uint>("--layer", "Hidden state to pool, 0 … layers; default the model's probe layer.", 0, 10_000);
        var normalize = new Option<bool>("--normalize") { Description = "Scales each embedding to length 1." };
        var command = new Command("embed", "Gives features of images: one line of numbers per image.") { images, model, layer, normalize };
        application.SetAction(command, async (parsed, context) =>
        {
            var request = new EmbedRequest
            {
                Model = parsed.GetRequiredValue(model),
                Normalize = parsed.GetValue(normalize),
                Images = { await ImageFiles.ReadAllAsync(parsed.GetRequiredValue(images), context.CancellationToken) },
            };
            if (parsed.GetValue(layer) is { } wanted)
            {
                request.Layer = wanted;
            }

            EmbedResponse response = await new ImageGpt.ImageGptClient(context.Invoker).EmbedAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken);
            if (context.IsJson)
            {
                context.WriteJson(response);
                return ExitCode.Ok;
            }

            foreach (Embedding embedding in response.Embeddings)
            {
                context.WriteLine(string.Join(' ', embedding.Values.Select(value => value.ToString("R", CultureInfo.InvariantCulture))));
            }

            return ExitCode.Ok;
        });
        return command;
    }

    static Command Score(CliApplication application)
    {
        Argument<string[]> images = ImagesArgument();
        Option<string> model = ModelOption();
        var perToken = new Option<bool>("--per-token") { Description = "With --json, also the log-probability of every pixel." };
        var command = new Command("score", "Tells how likely the model finds images.") { images, model, perToken };
        application.SetAction(command, async (parsed, context) =>
        {
            string[] paths = parsed.GetRequiredValue(images);
            var request = new ScoreRequest
            {
                Model = parsed.GetRequiredValue(model),
                PerToken = parsed.GetValue(perToken),
                Images = { await ImageFiles.ReadAllAsync(paths, context.CancellationToken) },
            };
            ScoreResponse response = await new ImageGpt.ImageGptClient(context.Invoker).ScoreAsync(request, deadline: context.Deadline, cancellationToken: context.CancellationToken);
            if (context.IsJson)
            {
                context.WriteJson(response);
                return ExitCode.Ok;
            }

            Table table = new Table().AddColumns("image", "bits per dimension", "log-likelihood (nats)");
            foreach ((string path, ImageScore score) in paths.Zip(response.Results))
            {
                table.AddRow(Cell.Of(path), Number($"{score.BitsPerDim:0.000}"), Number($"{score.TotalLogLikelihood:0.0}"));
            }

            context.Write(table);
            return ExitCode.Ok;
        });
        return command;
    }

    static Text Number(FormattableString text) => Cell.Of(text.ToString(CultureInfo.InvariantCulture));
}
