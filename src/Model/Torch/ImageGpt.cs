using IgptCluster.Model.Training;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace IgptCluster.Model.Torch;

/// <summary>
/// ImageGPT (Chen et al., "Generative Pretraining from Pixels", 2020, section 2) as Hugging Face computes it
/// (<c>modeling_imagegpt.py</c>, transformers 4.42): x += attention(norm(x)); x += mlp(norm(x)); a final norm; a head.
/// Differences intended: scores are divided by the true √(head size), which later versions truncate to an integer; norms of
/// 16-bit networks take their mean square in float32. Owns its weights. One thread.
/// </summary>
/// <remarks>Shapes in comments: B rows, T tokens, P past tokens, E n_embd, H heads, D head size, F inner size.</remarks>
public sealed class ImageGpt : IDisposable
{
    const long IgnoredLabel = -100;

    // Numbers that operators take are kept here and not made for each call: TorchSharp 0.107 hands a Scalar's handle to native code without keeping
    // the Scalar alive, so that a collection at the wrong moment frees it under the operator: it throws ("Exception raised from toFloat"), or worse,
    // reads what lies there now. x + y and square() make such Scalars inside, hence Add and x · x below.
    internal static readonly Scalar One = 1;
    static readonly Scalar Zero = 0;
    static readonly Scalar Ignored = IgnoredLabel;
    static readonly Scalar QuickGeluFactor = QuickGelu.Factor;
    static readonly Scalar LowestFloat32 = finfo(ScalarType.Float32).min;

    readonly List<(string Name, Tensor Value)> _parameters = [];
    readonly Scalar _epsilon;
    readonly Scalar _logitCount;
    readonly Scalar _lowest;
    readonly Scalar[] _queryScales; // per layer, for the operator that divides by √D itself
    readonly Scalar[] _scoreScales; // per layer
    readonly Func<Tensor, Tensor> _activation;
    readonly Tensor _tokenEmbedding; // [vocabulary, E]
    readonly Tensor _positionEmbedding; // [n_positions, E]
    readonly Block[] _blocks;
    readonly Tensor _finalNorm; // [E]
    readonly Tensor? _head; // [logits, E]

    /// <summary>Builds the network from weights by name, copying each to the device.</summary>
    /// <param name="config">Sizes and options.</param>
    /// <param name="architecture">Which head it has.</param>
    /// <param name="weight">
    /// Gives a weight by its name without <c>transformer.</c> (<c>h.0.attn.c_attn.weight</c>), in any float dtype. The tensor is
    /// only copied from: one made by the call is freed, one that existed before stays its owner's.
    /// </param>
    /// <param name="device">Where to compute; null for the CPU.</param>
    /// <param name="dtype">Float32, BFloat16 or Float16; of weights, caches and results.</param>
    /// <exception cref="ArgumentException">A weight's shape or the activation function does not fit.</exception>
    public ImageGpt(
        ImageGptConfig config,
        ImageGptArchitecture architecture,
        Func<string, Tensor> weight,
        Device? device = null,
        ScalarType dtype = ScalarType.Float32)
    {
        ArgumentNullException.ThrowIfNull(config);
        ArgumentNullException.ThrowIfNull(weight);
        (Config, Architecture, Device, Dtype) = (config, architecture, device ?? CPU, dtype);
        _activation = Activation(config.ActivationFunction);
        _epsilon = config.LayerNormEpsilon;
        _lowest = finfo(dtype).min;
        double root = Math.Sqrt(config.HeadSize);
        _queryScales = [.. Enumerable.Range(0, config.LayerCount).Select(layer => (Scalar)(ScoreScale(layer) * (config.ScaleAttentionWeights ? 1 : root)))];
        _scoreScales = [.. Enumerable.Range(0, config.LayerCount).Select(layer => (Scalar)(ScoreScale(layer) / (config.ScaleAttentionWeights ? root : 1)))];
        try
        {
            _tokenEmbedding = Load(weight, "wte.weight", config.VocabSize, config.EmbeddingSize);
            _positionEmbedding = Load(weight, "wpe.weight", config.PositionCount, config.EmbeddingSize);
            _blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer => LoadBlock(weight, $"h.{layer}."))];
            _finalNorm = Load(weight, "ln_f.weight", config.EmbeddingSize);
            _head = LoadHead(weight);
            _logitCount = LogitCount;
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Sizes and options.</summary>
    public ImageGptConfig Config { get; }

    /// <summary>Which head the network has.</summary>
    public ImageGptArchitecture Architecture { get; }

    /// <summary>Where the weights lie.</summary>
    public Device Device { get; }

    /// <summary>The weights' number type.</summary>
    public ScalarType Dtype { get; }

    /// <summary>
    /// Every weight with its name, plain tensors that need no gradient until the caller asks for it; they stay the network's.
    /// A tied head is <c>wte.weight</c> and not listed twice.
    /// </summary>
    public IReadOnlyList<(string Name, Tensor Value)> Parameters => _parameters;

    /// <summary>Number of outputs of the head; 0 without one.</summary>
    public int LogitCount => (int)(_head?.shape[0] ?? 0);

    /// <inheritdoc/>
    public void Dispose() => _parameters.ForEach(parameter => parameter.Value.Dispose());

    /// <summary>Computes hidden states, logits and loss of a dense batch, with gradients where the caller's grad mode and weights ask for them.</summary>
    /// <param name="input">Tokens and options.</param>
    /// <returns>The results, in the caller's dispose scope.</returns>
    /// <exception cref="ArgumentException">The input breaks a rule: shape, id out of range, longer than n_positions.</exception>
    public ImageGptOutput Forward(ImageGptInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        ImageGptInputRules.Check(input, Config, Architecture);
        using DisposeScope scope = NewDisposeScope();
        Tensor embedded = input.Embeddings ?? Embed(input.TokenIds!); // [B, T, E]
        long past = input.Cache?.Length ?? 0;
        Tensor positions = input.PositionIds ?? arange(past, past + embedded.shape[1], dtype: ScalarType.Int64, device: Device);
        Tensor x = dropout(Add(embedded, Place(positions)), Config.EmbeddingDropout, input.Training);

        var hiddenStates = new List<Tensor>();
        var attentions = new List<Tensor>();
        for (int layer = 0; layer < _blocks.Length; layer++)
        {
            Tensor block = RunBlock(layer, x, queryKeyValue => AttendDensely(layer, queryKeyValue, input, attentions), input.Training);
            if (input.WantsHiddenStates)
                hiddenStates.Add(x);
            else
                x.Dispose();
            x = block;
        }

        x = FinalNorm(x);
        hiddenStates.Add(x);
        Tensor? logits = Architecture == ImageGptArchitecture.ImageClassification ? Head(x.mean([1])) : _head is null ? null : Head(x);
        return new ImageGptOutput
        {
            LastHiddenState = x,
            Logits = logits,
            Loss = input.Labels is null ? null : Loss(logits!, input.Labels),
            HiddenStates = input.WantsHiddenStates ? hiddenStates : [],
            Attentions = attentions,
        }.MoveToOuterScope();
    }

    // Ids [...] to embeddings [..., E].
    internal Tensor Embed(Tensor ids) => Rows(_tokenEmbedding, ids);

    // Positions [...] to embeddings [..., E].
    internal Tensor Place(Tensor positions) => Rows(_positionEmbedding, positions);

    // [..., E] to [..., E]; attend takes queries, keys and values [..., 3E] and gives the heads' mixed values [..., E].
    internal Tensor RunBlock(int layer, Tensor x, Func<Tensor, Tensor> attend, bool training = false)
    {
        using DisposeScope scope = NewDisposeScope();
        Block block = _blocks[layer];
        Tensor mixed = Project(attend(Project(Norm(x, block.AttentionNorm), block.QueryKeyValue)), block.AttentionOutput); // [..., E]
        x = Add(x, dropout(mixed, Config.ResidualDropout, training));
        Tensor inner = _activation(Project(Norm(x, block.MlpNorm), block.MlpInner)); // [..., F]
        x = Add(x, dropout(Project(inner, block.MlpOutput), Config.ResidualDropout, training));
        return x.MoveToOuterDisposeScope();
    }

    internal Tensor FinalNorm(Tensor x) => Norm(x, _finalNorm);

    // [..., E] to [..., logits].
    internal Tensor Head(Tensor x) => matmul(x, _head!.t());

    // Queries [..., H, T, D] over keys and values [..., H, P + T, D]; query i sees keys 0 … P + i. Mask from CausalMask.
    internal Tensor Attend(int layer, HeadTensors heads, Tensor? causalMask, double dropoutRate = 0, bool bidirectional = false)
    {
        if (Config.ReorderAndUpcastAttention && Dtype != ScalarType.Float32)
            return AttendInFull(layer, heads, null, dropoutRate, bidirectional).Mixed;

        // The operator divides by √D itself, so queries carry what differs from that.
        bool isPlain = Config.ScaleAttentionWeights && !Config.ScaleAttentionByInverseLayerIndex;
        Tensor query = isPlain ? heads.Query : heads.Query * _queryScales[layer];
        bool isCausal = heads.Query.shape[^2] > 1 && causalMask is null && !bidirectional;
        if (isCausal && dropoutRate == 0 && CausalAttention.Fits(query, heads.Key))
            return CausalAttention.apply(query, heads.Key, heads.Value);
        return scaled_dot_product_attention(query, heads.Key, heads.Value, causalMask, dropoutRate, isCausal);
    }

    // The same step by step: adds a mask to the scores [..., H, T, P + T] and returns the probabilities too.
    internal (Tensor Mixed, Tensor Probabilities) AttendInFull(int layer, HeadTensors heads, Tensor? addedMask, double dropoutRate, bool bidirectional = false)
    {
        ScalarType dtype = Config.ReorderAndUpcastAttention ? ScalarType.Float32 : Dtype;
        Tensor query = heads.Query.to_type(dtype);
        Tensor scores = matmul(query, heads.Key.to_type(dtype).transpose(-2, -1)) * _scoreScales[layer];

        // Hugging Face replaces what causality forbids and adds padding's mask: a row whose keys are all padding then
        // attends to later keys too. Kept, since a classifier's mean includes such rows.
        if (!bidirectional)
        {
            Tensor allowed = ones(scores.shape[^2], scores.shape[^1], dtype: ScalarType.Bool, device: Device).tril(scores.shape[^1] - scores.shape[^2]);
            scores = scores.masked_fill(allowed.logical_not(), dtype == ScalarType.Float32 ? LowestFloat32 : _lowest);
        }

        if (addedMask is not null)
            scores = Add(scores, addedMask);
        Tensor probabilities = dropout(softmax(scores, -1).to_type(heads.Value.dtype), dropoutRate, dropoutRate > 0);
        return (matmul(probabilities, heads.Value), probabilities);
    }

    // True where query i may see key j, bool [T, P + T]; null where no mask is needed (one query) or the operator's own will do.
    internal static Tensor? CausalMask(long queries, long keys, Device device) => queries == 1 || queries == keys
        ? null
        : ones(queries, keys, dtype: ScalarType.Bool, device: device).tril(keys - queries);

    // Queries, keys and values [B, T, 3E] to mixed values [B, T, E], over the cache if there is one.
    Tensor AttendDensely(int layer, Tensor queryKeyValue, ImageGptInput input, List<Tensor> attentions)
    {
        long batch = queryKeyValue.shape[0];
        Tensor[] parts = queryKeyValue.reshape(batch, -1, 3, Config.HeadCount, Config.HeadSize).permute(2, 0, 3, 1, 4).unbind(0); // 3 × [B, H, T, D]
        (Tensor key, Tensor value) = input.Cache?.Append(layer, parts[1], parts[2]) ?? (parts[1], parts[2]); // [B, H, P + T, D]
        var heads = new HeadTensors(parts[0], key, value);
        double dropoutRate = input.Training ? Config.AttentionDropout : 0;
        Tensor mixed; // [B, H, T, D]
        if (input.AttentionMask is null && !input.WantsAttentions)
        {
            mixed = Attend(layer, heads, CausalMask(parts[0].shape[2], key.shape[2], Device), dropoutRate, input.Bidirectional);
        }
        else
        {
            Tensor? added = input.AttentionMask is { } mask
                ? mask.to_type(ScalarType.Float32).neg().add(One, One).to_type(Dtype).mul(_lowest).reshape(batch, 1, 1, -1) // [B, 1, 1, P + T]
                : null;
            (mixed, Tensor probabilities) = AttendInFull(layer, heads, added, dropoutRate, input.Bidirectional);
            if (input.WantsAttentions)
                attentions.Add(probabilities.MoveToOuterDisposeScope());
        }

        return mixed.transpose(1, 2).reshape(batch, -1, Config.EmbeddingSize);
    }

    // Conv1D weights lie [in, out].
    Block LoadBlock(Func<string, Tensor> weight, string prefix)
    {
        int width = Config.EmbeddingSize;
        int inner = Config.FeedForwardSize;
        return new Block(
            Load(weight, prefix + "ln_1.weight", width),
            new(Load(weight, prefix + "attn.c_attn.weight", width, 3 * width), Load(weight, prefix + "attn.c_attn.bias", 3 * width)),
            new(Load(weight, prefix + "attn.c_proj.weight", width, width), Load(weight, prefix + "attn.c_proj.bias", width)),
            Load(weight, prefix + "ln_2.weight", width),
            new(Load(weight, prefix + "mlp.c_fc.weight", width, inner), Load(weight, prefix + "mlp.c_fc.bias", inner)),
            new(Load(weight, prefix + "mlp.c_proj.weight", inner, width), Load(weight, prefix + "mlp.c_proj.bias", width)));
    }

    Tensor? LoadHead(Func<string, Tensor> weight) => Architecture switch
    {
        ImageGptArchitecture.CausalImageModeling when Config.TieWordEmbeddings => _tokenEmbedding,
        ImageGptArchitecture.CausalImageModeling => Load(weight, "lm_head.weight", Config.VocabSize - 1, Config.EmbeddingSize),
        ImageGptArchitecture.ImageClassification => Load(weight, "score.weight", Config.Labels.Count is > 0 and var labels ? labels : -1, Config.EmbeddingSize),
        _ => null,
    };

    // A copy of a weight of the given shape, where -1 is any size.
    Tensor Load(Func<string, Tensor> weight, string name, params long[] shape)
    {
        using DisposeScope scope = NewDisposeScope();
        using IDisposable noGradient = no_grad();
        Tensor source = weight(name);
        if (source.dim() != shape.Length || shape.Where((size, axis) => size >= 0 && size != source.shape[axis]).Any())
        {
            string rule = string.Join(", ", shape.Select(size => size < 0 ? "any" : $"{size}"));
            throw new ArgumentException($"{name} must have the shape [{rule}]; given: [{string.Join(", ", source.shape)}].", nameof(weight));
        }

        Tensor copy = empty(source.shape, dtype: Dtype, device: Device).copy_(source).DetachFromDisposeScope();
        _parameters.Add((name, copy));
        return copy;
    }

    double ScoreScale(int layer) => Config.ScaleAttentionByInverseLayerIndex ? 1.0 / (layer + 1) : 1;

    // x / √(mean(x²) + ε) · weight: no centring, no bias.
    Tensor Norm(Tensor x, Tensor weight)
    {
        Tensor wide = x.to_type(ScalarType.Float32);
        return (wide * rsqrt((wide * wide).mean([-1], keepdim: true).add(_epsilon, One))).to_type(Dtype) * weight;
    }

    internal static Tensor Add(Tensor left, Tensor right) => left.add(right, One);

    // Rows of a table [rows, E] by ids [...]: [..., E].
    static Tensor Rows(Tensor table, Tensor ids) => table.index_select(0, ids.flatten()).reshape([.. ids.shape, -1]);

    // [..., in] to [..., out].
    static Tensor Project(Tensor x, Linear linear) =>
        addmm(linear.Bias, x.reshape(-1, x.shape[^1]), linear.Weight, 1, 1).reshape([.. x.shape[..^1], -1]);

    Tensor Loss(Tensor logits, Tensor labels)
    {
        Tensor wide = logits.to_type(ScalarType.Float32);
        if (Architecture == ImageGptArchitecture.CausalImageModeling)
        {
            long length = labels.shape[1];
            Tensor predicted = wide.narrow(1, 0, length - 1).reshape(-1, LogitCount); // [B · (T − 1), logits]
            return cross_entropy(predicted, ColourOf(labels.narrow(1, 1, length - 1)).flatten(), ignore_index: IgnoredLabel);
        }

        string problem = Config.ProblemType ?? (LogitCount == 1 ? "regression"
            : labels.is_integral() ? "single_label_classification" : "multi_label_classification");
        return problem switch
        {
            "regression" => mse_loss(wide.reshape(labels.shape), labels.to_type(ScalarType.Float32)),
            "single_label_classification" => cross_entropy(wide, ColourOf(labels).flatten(), ignore_index: IgnoredLabel),
            "multi_label_classification" => binary_cross_entropy_with_logits(wide, labels.to_type(ScalarType.Float32)),
            _ => throw new ArgumentException(
                $"problem_type must be regression, single_label_classification or multi_label_classification; given: \"{problem}\"."),
        };
    }

    // Labels as int64, each a logit's index or ignored: the start token cannot be predicted.
    Tensor ColourOf(Tensor labels)
    {
        Tensor ids = labels.to_type(ScalarType.Int64);
        using Tensor wrong = ids[ids.lt(Zero).logical_and(ids.ne(Ignored)).logical_or(ids.ge(_logitCount))];
        return wrong.NumberOfElements == 0 ? ids : throw new ArgumentException(
            $"A label must be 0 to {LogitCount - 1}, or {IgnoredLabel} to be ignored; given: {wrong[0].item<long>()}.", nameof(labels));
    }

    internal static Func<Tensor, Tensor> Activation(string name) => name switch
    {
        "quick_gelu" => x => QuickGelu.Fits(x) ? QuickGelu.apply(x) : x * (x * QuickGeluFactor).sigmoid(),
        "gelu" => x => gelu(x),
        "gelu_new" or "gelu_pytorch_tanh" or "gelu_fast" => x => gelu(x, TorchSharp.Modules.GELU.Approximate.tanh),
        "relu" => x => relu(x),
        "silu" or "swish" => x => silu(x),
        "tanh" => x => tanh(x),
        _ => throw new ArgumentException(
            $"activation_function must be quick_gelu, gelu, gelu_new, gelu_pytorch_tanh, gelu_fast, relu, silu, swish or tanh; given: \"{name}\"."),
    };

    internal readonly record struct HeadTensors(Tensor Query, Tensor Key, Tensor Value);

    readonly record struct Linear(Tensor Weight, Tensor Bias);

    readonly record struct Block(Tensor AttentionNorm, Linear QueryKeyValue, Linear AttentionOutput, Tensor MlpNorm, Linear MlpInner, Linear MlpOutput);
}
