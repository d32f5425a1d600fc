using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using IgptCluster.Imaging.Processing;
using IgptCluster.Model;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

namespace IgptCluster.Training.Commands;

/// <summary><c>igpt-train draft</c>: what follows which neighbours in a model's pictures, so that a cluster guesses its tokens better.</summary>
internal sealed class DraftCommand : Command
{
    const int Slots = 16;

    readonly Option<DirectoryInfo> _model = new("--model") { Description = $"Checkpoint folder; {DraftFile.Name} is written there.", Required = true };
    readonly Option<DirectoryInfo?> _data = new("--data") { Description = "Folder of images like those that the model was trained on. Default: pictures that the model draws itself." };
    readonly Option<int> _samples = NumberOption.Create("--samples", "Images taken of each class of --data, or pictures that the model draws.", 256, 1, 65_536);
    readonly Option<int> _seed = NumberOption.Create("--seed", "Seed of what is taken or drawn.", 0, 0, int.MaxValue);

    internal DraftCommand()
        : base("draft", "Counts what follows which neighbours in a model's pictures: decoding gets faster, its tokens stay the same.")
    {
        foreach (Option option in new Option[] { _model, _data, _samples, _seed })
            Add(option);
        this.DoesAsync(RunAsync);
    }

    async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellationToken)
    {
        LibTorch.Prepare();
        using Checkpoint checkpoint = Checkpoint.Open(parsed.GetRequiredValue(_model).FullName);
        if (checkpoint.Architecture != ImageGptArchitecture.CausalImageModeling)
            throw new DataException($"{checkpoint.Folder}: --model must have a language-model head: this one generates nothing");
        (int samples, int seed) = (parsed.GetValue(_samples), parsed.GetValue(_seed));
        int width = ContextDrafter.WidthOf(checkpoint.Config.PositionCount);
        IEnumerable<ReadOnlyMemory<int>> pictures = parsed.GetValue(_data) is { } data
            ? Read(checkpoint, data.FullName, samples, seed, cancellationToken)
            : await DrawAsync(checkpoint, samples, (ulong)seed, cancellationToken);
        ContextTable table = ContextTable.Count(pictures, width).Prune(DraftFile.MaxContexts);
        string path = DraftFile.Write(checkpoint.Folder, table);
        Console.WriteLine($"Wrote {table.ContextCount:N0} contexts, {new FileInfo(path).Length / 1e6:0.0} MB, to {path}");
        return 0;
    }

    static IEnumerable<ReadOnlyMemory<int>> Read(Checkpoint checkpoint, string folder, int samples, int seed, CancellationToken cancellationToken)
    {
        ImageProcessor processor = ModelFiles.Processor(checkpoint.Folder, out _);
        processor.RequireFit(checkpoint.Config.VocabSize - 1, checkpoint.Config.PositionCount);
        TokenDataset images = Loading.Load(folder, processor, needsClasses: false, cancellationToken).Sample(samples, seed);
        return Enumerable.Range(0, images.Count).Select(index => (ReadOnlyMemory<int>)Array.ConvertAll(images[index].ToArray(), token => (int)token));
    }

    static async Task<IEnumerable<ReadOnlyMemory<int>>> DrawAsync(Checkpoint checkpoint, int count, ulong seed, CancellationToken cancellationToken)
    {
        await using var loop = new EngineLoop(
            new EngineOptions { MaxWaiting = count, MaxWaitingTokens = int.MaxValue },
            () => CreateRunner(checkpoint),
            TimeProvider.System,
            NullLogger.Instance,
            () => CpuNetwork.Fits(checkpoint.Config) ? new ContextDrafter(ContextDrafter.WidthOf(checkpoint.Config.PositionCount)) : null);
        await loop.StartAsync();
        var streams = new List<Generation>();
        for (int index = 0; index < count; index++)
        {
            var request = new GenerationRequest
            {
                Id = new SequenceId($"{index}"),
                Prompt = ReadOnlyMemory<int>.Empty,
                MaxNewTokens = checkpoint.Config.PositionCount,
                Sampling = new SamplingParameters { Seed = seed, Sample = (uint)index },
            };
            streams.Add(loop.TrySubmit(request, out Generation? stream) == SubmitOutcome.Accepted
                ? stream!
                : throw new InvalidOperationException("the engine refused a picture that its queue has room for"));
        }

        var pictures = new List<ReadOnlyMemory<int>>();
        using var progress = new ProgressLine("Drawing pictures", count);
        foreach (Generation stream in streams)
        {
            pictures.Add(await stream.Tokens.ReadAllAsync(cancellationToken).Select(token => token.Token).ToArrayAsync(cancellationToken));
            progress.Show(pictures.Count);
        }

        return pictures;
    }

    static IModelRunner CreateRunner(Checkpoint checkpoint) => CpuNetwork.Fits(checkpoint.Config)
        ? new CpuModelRunner(new CpuNetwork(checkpoint.Config, checkpoint.Architecture, ScalarType.Float32, checkpoint), new CpuRunnerOptions { Slots = Slots })
        : new TorchModelRunner(ModelFiles.Network(checkpoint), new TorchRunnerOptions { Slots = Slots });
}
