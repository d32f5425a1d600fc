using System.ComponentModel.DataAnnotations;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Hosting.Settings;

namespace IgptCluster.Hosting;

/// <summary>What this silo serves. Section <c>Igpt</c>.</summary>
public sealed class ReplicaOptions : IValidatableObject
{
    /// <summary>The data types that models are served in.</summary>
    public static IReadOnlyList<string> Types { get; } = ["float32", "bfloat16", "int8"];

    /// <summary>Models to serve; the first is the cluster's default. Default: the bundled ones.</summary>
    public IList<ServedCheckpoint> Models { get; } = [];

    /// <summary>Where models run: <c>cpu</c>, <c>cuda</c> (every CUDA device) or <c>auto</c> (CUDA if there is any). Default cpu.</summary>
    [OneOf("cpu", "cuda", "auto")]
    public string Device { get; set; } = "cpu";

    /// <summary>The value of <see cref="Runner"/> that asks for libtorch.</summary>
    public const string ReferenceRunner = "libtorch";

    /// <summary>
    /// What computes: <c>auto</c>, this project's own kernels where they are made for the model and the device, else libtorch; or <c>libtorch</c>, the reference, everywhere. Default auto.
    /// </summary>
    [OneOf("auto", ReferenceRunner)]
    public string Runner { get; set; } = "auto";

    /// <summary>
    /// What guesses the next tokens of generations, so that a step can verify several at once: <c>auto</c>, the colours of neighbouring pixels, where the runner gives a row the same bits in
    /// any step; or <c>none</c>. Tokens are the same either way. Default auto.
    /// </summary>
    [OneOf("auto", NoDrafter)]
    public string Drafter { get; set; } = "auto";

    /// <summary>The value of <see cref="Drafter"/> that lets every step make one token a sequence.</summary>
    public const string NoDrafter = "none";

    /// <summary>
    /// Data type of the weights of models that name none of their own: <c>float32</c>, <c>bfloat16</c>, or <c>int8</c> (a scale for each output, and for each token going in; processors only).
    /// Default float32.
    /// </summary>
    [OneOf("float32", "bfloat16", "int8")]
    public string DType { get; set => field = DataTypeNames.Find(value, Types) ?? value; } = "float32";

    /// <summary>
    /// The same of the KV cache: <c>float32</c>, <c>bfloat16</c>, or <c>int8</c> (a scale for each head and position). Default: as the weights, bfloat16
    /// with int8 weights. Only the processors' runner can differ from the weights.
    /// </summary>
    [OneOf("float32", "bfloat16", "int8")]
    public string? KvDType { get; set => field = value is null ? null : DataTypeNames.Find(value, Types) ?? value; }

    /// <summary>
    /// KV slots of each replica, 1 … 4096. Absent: as many as the device can make use of, 256 on CUDA devices, and on processors 8 for each thread that computes, 8 … 64; at most what a
    /// quarter of its memory holds. The CUDA runner takes fewer where the device has no more left.
    /// </summary>
    [Range(1, 4096)]
    public int? Slots { get; set; }

    /// <summary>Most replicas on one device, of all models together, 1 … 1000: each has threads of its own, and they take turns. Default 8.</summary>
    [Range(1, 1000)]
    public int MaxReplicasPerDevice { get; set; } = 8;

    /// <summary>Threads that compute on processors, for each engine, 1 … 1024. Absent: one for each core. Silos that share a machine should share its cores.</summary>
    [Range(1, 1024)]
    public int? Threads { get; set; }

    /// <summary>Whether each of these threads stays on a core of its own (Linux). Absent: where there is one for every core that the process may run on.</summary>
    public bool? PinThreads { get; set; }

    /// <summary>Token budget of an engine step, 1 … 65536. Default 512.</summary>
    [Range(1, 65_536)]
    public int MaxBatchTokens { get; set; } = 512;

    /// <summary>How many times as long as without prefills a step may take in which generations decode, 1.05 … 1000. Default 2.2.</summary>
    [Range(1.05, 1000)]
    public double DecodeStretch { get; set; } = 2.2;

    /// <summary>
    /// The longest an engine step may take before its replica counts as failed and its sessions go on elsewhere, 1 s … 1 h. Default 60 s: a step takes well under a second on most devices;
    /// raise it where a large model runs on a few processor cores.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:01", "01:00:00")]
    public TimeSpan StepTimeout { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Sequences that may wait for a slot, 0 … 100000. Default 256.</summary>
    [Range(0, 100_000)]
    public int MaxWaiting { get; set; } = 256;

    /// <summary>Tokens that sequences waiting for a slot may have to be computed, 0 … 1,000,000,000. Default 262,144: 256 whole images.</summary>
    [Range(0, 1_000_000_000)]
    public int MaxWaitingTokens { get; set; } = 256 * 1024;

    /// <summary>
    /// Whether clients share the computed prefixes of their prompts with each other. That saves work where many clients send the same images, and lets each of them tell by the time to the
    /// first token what others have sent lately. Default false: within a client only.
    /// </summary>
    public bool SharesPrefixesAcrossClients { get; set; }

    /// <summary>The types a model is served in.</summary>
    /// <param name="model">One of <see cref="Models"/>.</param>
    /// <returns>Of its weights, and of its KV cache, null for as the weights.</returns>
    public (string DType, string? KvDType) TypesOf(ServedCheckpoint model) => (model.DType ?? DType, model.KvDType ?? (model.DType is null ? KvDType : null));

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (Models.Any(model => model.Path.Length == 0))
        {
            yield return new ValidationResult("Igpt:Models: each model needs a checkpoint folder (--model PATH or NAME=PATH); given ''", [nameof(Models)]);
        }

        foreach (string type in Models.SelectMany(model => new[] { model.DType, model.KvDType }).OfType<string>().Where(type => !Types.Contains(type)))
        {
            yield return new ValidationResult($"Igpt:Models: a data type is {string.Join(", ", Types)} (--model PATH,dtype=TYPE,kv-dtype=TYPE); given '{type}'", [nameof(Models)]);
        }

        IEnumerable<IGrouping<string, ServedCheckpoint>> names = Models.Where(model => model.Path.Length > 0).GroupBy(model => model.ServedName);
        foreach (IGrouping<string, ServedCheckpoint> same in names.Where(same => same.Count() > 1 || !ModelNameRule.IsKeptBy(same.Key)))
        {
            yield return new ValidationResult(
                $"Igpt:Models: names must be unique, and {ModelNameRule.Words}: give others with --model NAME=PATH; given {Echo.Quoted(same.Key)} for {string.Join(" and ", same.Select(model => PrintableText.Escape(model.Path)))}",
                [nameof(Models)]);
        }
    }
}

/// <summary>A checkpoint folder and the name to serve it by.</summary>
public sealed class ServedCheckpoint
{
    /// <summary>Name clients ask for. Default: the folder's.</summary>
    public string Name { get; set; } = "";

    /// <summary>Checkpoint folder.</summary>
    public string Path { get; set; } = "";

    /// <summary>Data type of its weights; null: <see cref="ReplicaOptions.DType"/>.</summary>
    public string? DType { get; set => field = value is null ? null : DataTypeNames.Find(value, ReplicaOptions.Types) ?? value; }

    /// <summary>Data type of its KV cache; null: <see cref="ReplicaOptions.KvDType"/>, or by its own weights' type where it names one.</summary>
    public string? KvDType { get; set => field = value is null ? null : DataTypeNames.Find(value, ReplicaOptions.Types) ?? value; }

    /// <summary>The name in use.</summary>
    public string ServedName => Name.Length > 0 ? Name : System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetFullPath(Path)));
}
