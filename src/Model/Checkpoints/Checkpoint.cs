using System.IO.Hashing;
using System.Text.RegularExpressions;
using static TorchSharp.torch;

namespace IgptCluster.Model.Checkpoints;

/// <summary>
/// A checkpoint folder as Hugging Face writes it, opened and checked: configuration, names, shapes and types of all weights. Weights are read
/// when they are loaded. One thread at a time, but for <see cref="Read"/> where <see cref="IsShared"/>.
/// </summary>
public sealed partial class Checkpoint : IWeightSource, IDisposable
{
    /// <summary>Most bytes of config.json and of preprocessor_config.json: those of a few hundred thousand labels.</summary>
    public const int MaxConfigBytes = 16 << 20;

    /// <summary>Most bytes of a model card, README.md: it is sent with what is told of the model.</summary>
    public const int MaxCardBytes = 1 << 20;

    const string ConfigFile = "config.json";
    const string Prefix = "transformer.";

    readonly WeightFiles _files;

    Checkpoint(string folder, string configJson, ImageGptConfig config, ImageGptArchitecture architecture, WeightFiles files)
    {
        (Folder, ConfigJson, Config, Architecture, _files) = (folder, configJson, config, architecture, files);
    }

    /// <summary>The folder.</summary>
    public string Folder { get; }

    /// <summary>config.json as it stands.</summary>
    public string ConfigJson { get; }

    /// <summary>The configuration.</summary>
    public ImageGptConfig Config { get; }

    /// <summary>Which of the three classes it is: as config.json says, else by the heads there are.</summary>
    public ImageGptArchitecture Architecture { get; }

    /// <summary>The weights by name, without the <c>transformer.</c> prefix.</summary>
    public IReadOnlyDictionary<string, CheckpointTensor> Tensors { get; private init; } = new Dictionary<string, CheckpointTensor>();

    /// <summary>Names of tensors that are not used: old attention buffers, and what the architecture does not know.</summary>
    public IReadOnlyList<string> Ignored { get; private init; } = [];

    /// <summary>preprocessor_config.json as it stands; null if there is none.</summary>
    public string? PreprocessorJson { get; private init; }

    /// <summary>The model card, README.md; null if there is none.</summary>
    public string? Card { get; private init; }

    /// <summary>Opens a folder.</summary>
    /// <param name="folder">The folder.</param>
    /// <param name="weights">The weight file to use; null takes the first of model.safetensors, its index, pytorch_model.bin, its index.</param>
    /// <exception cref="CheckpointException">The folder breaks a rule; all broken ones of a kind are named.</exception>
    public static Checkpoint Open(string folder, string? weights = null)
    {
        if (!Directory.Exists(folder))
        {
            throw new CheckpointException($"{folder}: there is no such folder");
        }

        string configJson = CheckpointFiles.ReadText(Path.Combine(folder, ConfigFile), MaxConfigBytes) ?? throw new CheckpointException($"{folder}: there is no {ConfigFile}");
        (ImageGptConfig config, ImageGptArchitecture? named) = ImageGptConfigJson.Parse(configJson);
        WeightFiles files = WeightFiles.Open(folder, weights);
        try
        {
            Dictionary<string, CheckpointTensor> tensors = Canonical(files.Tensors, out List<string> ignored);
            ImageGptArchitecture architecture = named ?? Infer(tensors);
            config = named is null ? ImageGptConfigJson.Parse(configJson, otherwise: architecture).Config : config;
            IReadOnlyList<WeightShape> layout = WeightLayout.Of(config, architecture);
            Check(files.Name, tensors, layout, config);
            var known = layout.Select(weight => weight.Name).ToHashSet();
            ignored.AddRange(tensors.Keys.Where(name => !known.Contains(name)));
            return new Checkpoint(folder, configJson, config, architecture, files)
            {
                Tensors = tensors.Where(tensor => known.Contains(tensor.Key)).ToDictionary(),
                Ignored = ignored,
                PreprocessorJson = CheckpointFiles.ReadText(Path.Combine(folder, "preprocessor_config.json"), MaxConfigBytes),
                Card = CheckpointFiles.ReadText(Path.Combine(folder, "README.md"), MaxCardBytes),
            };
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool IsShared => Tensors.Values.All(tensor => tensor.IsShared);

    /// <inheritdoc/>
    public void Read(string name, long start, Span<float> values) => Tensors[name].Read(start, values);

    /// <inheritdoc/>
    public void RequireUnchanged() => _files.RequireUnchanged();

    /// <summary>Reads a weight.</summary>
    /// <param name="name">Its name without the <c>transformer.</c> prefix.</param>
    /// <param name="dtype">Data type wanted.</param>
    /// <returns>A contiguous CPU tensor that the caller owns.</returns>
    /// <exception cref="CheckpointException">A value is not finite, or the file cannot be read or was written to meanwhile.</exception>
    public Tensor Load(string name, ScalarType dtype)
    {
        Tensor weight = Tensors[name].Load(dtype);
        try
        {
            RequireUnchanged();
            return weight;
        }
        catch
        {
            weight.Dispose();
            throw;
        }
    }

    /// <summary>
    /// The first 16 hexadecimal digits of the XXH128 over those of all weights (names, types, shapes and values), in the layout's order. Next to free once they have been read: each is
    /// hashed on the way.
    /// </summary>
    /// <exception cref="CheckpointException">A file cannot be read or was written to meanwhile.</exception>
    public string ComputeVersion()
    {
        IReadOnlyList<WeightShape> layout = WeightLayout.Of(Config, Architecture);
        byte[][] hashes = new byte[layout.Count][];
        var options = new ParallelOptions { MaxDegreeOfParallelism = IsShared ? Environment.ProcessorCount : 1 };
        try
        {
            Parallel.For(0, layout.Count, options, index => hashes[index] = Tensors[layout[index].Name].Hash());
        }
        catch (AggregateException failures) when (failures.InnerExceptions[0] is CheckpointException first)
        {
            throw new CheckpointException(first.Message, first);
        }

        RequireUnchanged();
        return Convert.ToHexStringLower(XxHash128.Hash([.. hashes.SelectMany(hash => hash)]))[..16];
    }

    /// <summary>Closes the files; weights that were loaded stay.</summary>
    public void Dispose() => _files.Dispose();

    static Dictionary<string, CheckpointTensor> Canonical(IReadOnlyList<CheckpointTensor> stored, out List<string> ignored)
    {
        ignored = [];
        var tensors = new Dictionary<string, CheckpointTensor>();
        foreach (CheckpointTensor tensor in stored)
        {
            string name = tensor.Name.StartsWith(Prefix, StringComparison.Ordinal) ? tensor.Name[Prefix.Length..] : tensor.Name;
            if (AttentionBuffer().IsMatch(name))
            {
                ignored.Add(name);
                continue;
            }

            tensor.Name = name;
            if (!tensors.TryAdd(name, tensor))
            {
                throw new CheckpointException($"{tensor.File}: weight '{name}' is there twice, with and without '{Prefix}'");
            }
        }

        return tensors;
    }

    static ImageGptArchitecture Infer(Dictionary<string, CheckpointTensor> tensors) =>
        tensors.ContainsKey(WeightLayout.LanguageHead) ? ImageGptArchitecture.CausalImageModeling
        : tensors.ContainsKey(WeightLayout.ClassifierHead) ? ImageGptArchitecture.ImageClassification
        : ImageGptArchitecture.Model;

    static void Check(string file, Dictionary<string, CheckpointTensor> tensors, IReadOnlyList<WeightShape> layout, ImageGptConfig config)
    {
        string[] missing = [.. layout.Select(weight => weight.Name).Where(name => !tensors.ContainsKey(name))];
        if (missing.Length > 0 && CommonPrefix(tensors, missing) is { } prefix)
        {
            throw new CheckpointException($"{file}: all its names begin with '{prefix}'{OriginOf(prefix)}");
        }

        List<string> problems =
        [
            .. layout.Select(weight => Problem(weight, tensors.GetValueOrDefault(weight.Name))).OfType<string>(),
            .. BlockProblem(tensors, config.LayerCount) is { } blocks ? [blocks] : Array.Empty<string>(),
        ];
        if (problems.Count > 0)
        {
            const int shown = 20;
            string rest = problems.Count > shown ? $"; and {problems.Count - shown} more" : "";
            throw new CheckpointException($"{file}: {string.Join("; ", problems.Take(shown))}{rest}");
        }
    }

    static string? Problem(WeightShape weight, CheckpointTensor? tensor) => tensor switch
    {
        null => $"'{weight.Name}' [{string.Join(", ", weight.Shape)}] is missing",
        _ when !tensor.Shape.SequenceEqual(weight.Shape) => $"'{weight.Name}' must be [{string.Join(", ", weight.Shape)}] by config.json; given [{string.Join(", ", tensor.Shape)}]",
        { UnreadType: { } type } => $"'{weight.Name}' must be float16, bfloat16, float32 or float64; given {type}",
        { DType: not (ScalarType.Float16 or ScalarType.BFloat16 or ScalarType.Float32 or ScalarType.Float64) } =>
            $"'{weight.Name}' must be float16, bfloat16, float32 or float64; given {tensor.DType}",
        _ => null,
    };

    static string? BlockProblem(Dictionary<string, CheckpointTensor> tensors, int expected)
    {
        int layers = 0;
        foreach (string name in tensors.Keys)
        {
            layers = Block().Match(name) is { Success: true } block && int.TryParse(block.Groups[1].ValueSpan, out int layer) ? Math.Max(layers, layer + 1) : layers;
        }

        return layers > expected ? $"it has weights of {layers} blocks, config.json's n_layer is {expected}" : null;
    }

    /// <summary>What stands before the names of all weights that are missing, as wrappers of networks put it there; null if it is not one thing, or they are not there.</summary>
    static string? CommonPrefix(Dictionary<string, CheckpointTensor> tensors, string[] missing)
    {
        string? prefix = tensors.Keys.FirstOrDefault(name => name.EndsWith($".{missing[0]}", StringComparison.Ordinal))?[..^missing[0].Length];
        if (prefix is null)
        {
            return null;
        }

        // Heads lie outside the backbone, behind the wrapper's prefix alone.
        string wrapper = prefix.EndsWith(Prefix, StringComparison.Ordinal) ? prefix[..^Prefix.Length] : prefix;
        return wrapper.Length > 0 && missing.All(name => tensors.ContainsKey(prefix + name) || tensors.ContainsKey(wrapper + name)) ? wrapper : null;
    }

    static string OriginOf(string prefix) => prefix switch
    {
        "module." => ", as nn.DataParallel and DistributedDataParallel save them: save model.module.state_dict() instead",
        "_orig_mod." => ", as torch.compile saves them: save model._orig_mod.state_dict() instead",
        _ => $": save the state_dict of the network without what is around it (model.{prefix}state_dict())",
    };

    [GeneratedRegex(@"^h\.\d+\.attn\.(masked_)?bias$")]
    private static partial Regex AttentionBuffer();

    [GeneratedRegex(@"^h\.(\d{1,9})\.")]
    private static partial Regex Block();
}
