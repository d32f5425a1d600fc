using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace IgptCluster.Model;

/// <summary>
/// The network: "Generative Pretraining from Pixels" (Chen et al., 2020), computed as Hugging Face's modeling_imagegpt.py does up to transformers
/// 4.42. Intended difference from later versions: attention scores are divided by the true √(head size), which 4.43 and later round down.
/// One thread at a time. Owns its weights.
/// </summary>
/// <remarks>
/// Read top to bottom: norm, embeddings, blocks, heads, losses. Blocks work on flat tokens [n, n_embd]; what a token may attend to is the
/// caller's business, given as a function, so that dense batches and the server's KV slots run through the same code.
/// </remarks>
public sealed class ImageGpt : IDisposable
{
    readonly Dictionary<string, Tensor> _weights = [];
    readonly Block[] _blocks;
    readonly Tensor _tokenEmbedding;
    readonly Tensor _positionEmbedding;
    readonly Tensor _finalNorm;
    readonly Tensor? _languageHead;
    readonly Tensor? _classifierHead;
    readonly Func<Tensor, Tensor> _activation;

    /// <summary>Takes the weights.</summary>
    /// <param name="config">A valid configuration.</param>
    /// <param name="architecture">Which heads it has.</param>
    /// <param name="weight">Gives each weight of <see cref="WeightLayout"/> as a tensor that the network then owns.</param>
    /// <param name="device">Where it computes; null = CPU.</param>
    /// <param name="dtype">Data type it computes in.</param>
    public ImageGpt(ImageGptConfig config, ImageGptArchitecture architecture, Func<string, Tensor> weight, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        (Config, Architecture, Device, DType) = (config, architecture, device ?? CPU, dtype);
        using (NewDisposeScope())
        {
            foreach (WeightShape layout in WeightLayout.Of(config, architecture))
            {
                Tensor given = weight(layout.Name);
                Tensor placed = given.to(dtype, Device);
                if (!ReferenceEquals(given, placed))
                {
                    given.Dispose();
                }

                _weights[layout.Name] = placed.DetachFromDisposeScope();
            }
        }

        _blocks = [.. Enumerable.Range(0, config.LayerCount).Select(layer => new Block(name => _weights[$"h.{layer}.{name}"]))];
        _tokenEmbedding = _weights["wte.weight"];
        _positionEmbedding = _weights["wpe.weight"];
        _finalNorm = _weights["ln_f.weight"];
        _languageHead = architecture == ImageGptArchitecture.CausalImageModeling
            ? config.TieWordEmbeddings ? _tokenEmbedding : _weights[WeightLayout.LanguageHead]
            : null;
        _classifierHead = _weights.GetValueOrDefault(WeightLayout.ClassifierHead);
        _activation = Activation(config.ActivationFunction);
    }

    /// <summary>Attention of one layer: queries, keys and values of flat tokens [n, n_embd] to what they attend to, [n, n_embd].</summary>
    /// <param name="layer">Layer index, from 0.</param>
    /// <param name="queries">[n, n_embd].</param>
    /// <param name="keys">[n, n_embd].</param>
    /// <param name="values">[n, n_embd].</param>
    internal delegate Tensor Attention(int layer, Tensor queries, Tensor keys, Tensor values);

    /// <summary>The configuration.</summary>
    public ImageGptConfig Config { get; }

    /// <summary>Which heads it has.</summary>
    public ImageGptArchitecture Architecture { get; }

    /// <summary>Where it computes.</summary>
    public Device Device { get; }

    /// <summary>Data type it computes in.</summary>
    public ScalarType DType { get; }

    /// <summary>The weights by name, without the <c>transformer.</c> prefix; they stay the network's.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights => _weights;

    /// <summary>What attention scores of a layer are multiplied by.</summary>
    /// <param name="layer">Layer index, from 0.</param>
    internal double ScoreScale(int layer) =>
        (Config.ScaleAttentionWeights ? 1 / Math.Sqrt(Config.HeadSize) : 1) / (Config.ScaleAttentionByInverseLayerIndex ? layer + 1 : 1);

    /// <summary>x / √(mean(x²) + ε) · weight: no centring, no bias, ε inside the root. x [n, n_embd].</summary>
    Tensor Norm(Tensor x, Tensor weight) => x * x.square().mean([-1], keepdim: true).add(Config.LayerNormEpsilon).rsqrt() * weight;

    /// <summary>Hugging Face's Conv1D: x · weight + bias, weight [in, out].</summary>
    static Tensor Linear(Tensor x, Tensor weight, Tensor bias) => addmm(bias, x, weight, beta: 1, alpha: 1);

    /// <summary>Token and position embeddings, [n, n_embd], of ids and positions int64 [n].</summary>
    internal Tensor Embed(Tensor ids, Tensor positions) => _tokenEmbedding.index_select(0, ids) + _positionEmbedding.index_select(0, positions);

    /// <summary>All blocks. Disposes intermediate results as it goes.</summary>
    /// <param name="x">Embeddings [n, n_embd].</param>
    /// <param name="attend">What a token attends to.</param>
    /// <param name="observe">Sees hidden states 0 … n_layer − 1, the input of each block, [n, n_embd].</param>
    /// <returns>Output of the last block, before the final norm, [n, n_embd].</returns>
    internal Tensor Blocks(Tensor x, Attention attend, Action<int, Tensor>? observe = null)
    {
        for (int layer = 0; layer < _blocks.Length; layer++)
        {
            using var scope = NewDisposeScope();
            observe?.Invoke(layer, x);
            Block block = _blocks[layer];
            Tensor[] qkv = Linear(Norm(x, block.Norm1), block.Qkv, block.QkvBias).chunk(3, -1);           // [n, 3 · n_embd] → 3 × [n, n_embd]
            Tensor attended = attend(layer, qkv[0], qkv[1], qkv[2]);                                      // [n, n_embd]
            Tensor middle = x + Linear(attended, block.Projection, block.ProjectionBias);
            Tensor inner = _activation(Linear(Norm(middle, block.Norm2), block.Up, block.UpBias));         // [n, n_inner]
            x = (middle + Linear(inner, block.Down, block.DownBias)).MoveToOuterDisposeScope();
        }

        return x;
    }

    /// <summary>The final norm, [n, n_embd].</summary>
    internal Tensor FinalNorm(Tensor x) => Norm(x, _finalNorm);

    /// <summary>Logits of the next colour after normed hidden states [n, n_embd]: [n, colours], or [n, ids] where embeddings are tied.</summary>
    internal Tensor LanguageLogits(Tensor normed) => normed.matmul(
        (_languageHead ?? throw new InvalidOperationException($"{Architecture} has no language-model head")).t());

    /// <summary>One pass over a dense batch.</summary>
    /// <param name="input">What to read.</param>
    /// <exception cref="ArgumentException">No tokens, ids or lengths out of range, or labels that are no colours.</exception>
    public ImageGptOutput Forward(ImageGptInput input)
    {
        using var scope = NewDisposeScope();
        (long batch, long length) = Size(input);
        long past = input.Cache?.Length ?? 0;
        if (past + length > Config.PositionCount && input.Positions is null)
        {
            throw new ArgumentException($"a sequence has at most {Config.PositionCount} tokens (n_positions); given {past + length}", nameof(input));
        }

        long width = Config.EmbeddingSize;
        Tensor positions = (input.Positions ?? arange(past, past + length, dtype: ScalarType.Int64, device: Device).expand(batch, length)).reshape(-1);
        Tensor x = input.Tokens is { } tokens
            ? Embed(Checked(tokens).reshape(-1), positions)
            : input.Embeddings!.to(DType, Device).reshape(-1, width) + _positionEmbedding.index_select(0, positions);
        var hidden = new List<Tensor>();
        var attentions = new List<Tensor>();
        Action<int, Tensor>? observe = input.WantsHiddenStates ? (_, state) => Keep(hidden, state.view(batch, length, width), scope) : null;
        Action<Tensor>? observeAttention = input.WantsAttentions ? probabilities => Keep(attentions, probabilities, scope) : null;
        Tensor last = FinalNorm(Blocks(x, Dense(input, batch, length, observeAttention), observe)).view(batch, length, width);
        if (input.WantsHiddenStates)
        {
            hidden.Add(last.clone());
        }

        Tensor? logits = _languageHead is not null ? LanguageLogits(last) : _classifierHead is not null ? last.mean([1]).matmul(_classifierHead.t()) : null;
        Tensor? loss = logits is null || input.Labels is null ? null : Loss(logits, input.Labels.to(Device));
        return new ImageGptOutput
        {
            LastHiddenState = last.MoveToOuterDisposeScope(),
            Logits = logits?.MoveToOuterDisposeScope(),
            Loss = loss?.MoveToOuterDisposeScope(),
            HiddenStates = Moved(hidden),
            Attentions = Moved(attentions),
        };
    }

    /// <summary>
    /// Hugging Face's attention over a dense batch: keys after the query are replaced by the lowest number, masked ones have it added; rows with
    /// nothing to attend to are therefore garbage there as here.
    /// </summary>
    Attention Dense(ImageGptInput input, long batch, long length, Action<Tensor>? observe) => (layer, q, k, v) =>
    {
        Tensor queries = Heads(q, batch, length);                                                         // [batch, heads, length, size]
        (Tensor keys, Tensor values) = (Heads(k, batch, length), Heads(v, batch, length));
        if (input.Cache is { } cache)
        {
            (keys, values) = cache.Append(layer, keys, values);                                           // [batch, heads, past + length, size]
        }

        ScalarType type = Config.ReorderAndUpcastAttention ? ScalarType.Float32 : DType;
        double lowest = finfo(type).min;
        Tensor scores = queries.to_type(type).matmul(keys.to_type(type).transpose(-1, -2)) * ScoreScale(layer);
        long past = scores.shape[^1] - length;
        Tensor allowed = ones(length, past + length, dtype: ScalarType.Bool, device: Device).tril(past);
        scores = scores.masked_fill(allowed.logical_not(), lowest);
        if (input.AttentionMask is { } mask)
        {
            scores += (1 - mask.to(type, Device).view(batch, 1, 1, -1)) * lowest;
        }

        Tensor probabilities = functional.softmax(scores, -1).to_type(DType);
        observe?.Invoke(probabilities);
        return probabilities.matmul(values).transpose(1, 2).reshape(batch * length, Config.EmbeddingSize);
    };

    /// <summary>[batch · length, n_embd] → [batch, heads, length, size].</summary>
    Tensor Heads(Tensor x, long batch, long length) => x.view(batch, length, Config.HeadCount, Config.HeadSize).transpose(1, 2);

    Tensor Loss(Tensor logits, Tensor labels) => Architecture == ImageGptArchitecture.CausalImageModeling ? NextColourLoss(logits, labels) : ClassLoss(logits, labels);

    /// <summary>Mean cross-entropy of each logit against the label after it; −100 is ignored; a single token gives NaN.</summary>
    static Tensor NextColourLoss(Tensor logits, Tensor labels)
    {
        long colours = logits.shape[^1];
        Tensor targets = labels.narrow(1, 1, labels.shape[1] - 1).reshape(-1);
        if (targets.numel() > 0 && (targets.max().item<long>() >= colours || targets.less(0).logical_and(targets.not_equal(-100)).any().item<bool>()))
        {
            throw new ArgumentException($"labels must be colours, 0 … {colours - 1}, or −100 to be ignored; the start token is no target", nameof(labels));
        }

        return functional.cross_entropy(logits.narrow(1, 0, logits.shape[1] - 1).reshape(-1, colours).to_type(ScalarType.Float32), targets);
    }

    /// <summary>By the configuration's problem_type, else as Hugging Face guesses it from the labels.</summary>
    Tensor ClassLoss(Tensor logits, Tensor labels)
    {
        bool integers = labels.dtype is ScalarType.Int64 or ScalarType.Int32;
        string problem = Config.ProblemType
            ?? (logits.shape[^1] == 1 ? "regression" : integers ? "single_label_classification" : "multi_label_classification");
        return problem switch
        {
            "regression" => functional.mse_loss(logits.squeeze(), labels.squeeze().to_type(logits.dtype)),
            "single_label_classification" => functional.cross_entropy(logits, labels.reshape(-1)),
            _ => functional.binary_cross_entropy_with_logits(logits, labels.to_type(logits.dtype)),
        };
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Tensor weight in _weights.Values)
        {
            weight.Dispose();
        }
    }

    static (long Batch, long Length) Size(ImageGptInput input)
    {
        Tensor given = input.Tokens ?? input.Embeddings ?? throw new ArgumentException("either tokens or embeddings must be given; neither is", nameof(input));
        return given.numel() > 0 && given.dim() == (input.Tokens is null ? 3 : 2)
            ? (given.shape[0], given.shape[1])
            : throw new ArgumentException($"the input must be [batch, length] with at least one token; given [{string.Join(", ", given.shape)}]", nameof(input));
    }

    Tensor Checked(Tensor tokens)
    {
        (long least, long greatest) = (tokens.min().item<long>(), tokens.max().item<long>());
        return least >= 0 && greatest < Config.VocabSize
            ? tokens.to(Device)
            : throw new ArgumentException($"token ids must be 0 … {Config.VocabSize - 1}; given {(least < 0 ? least : greatest)}", nameof(tokens));
    }

    /// <summary>Keeps a tensor beyond the block that made it. Not from the given scope itself: moving within one scope loses the tensor.</summary>
    static void Keep(List<Tensor> list, Tensor tensor, DisposeScope scope) => list.Add(tensor.clone().MoveToOtherDisposeScope(scope));

    static List<Tensor> Moved(List<Tensor> tensors)
    {
        tensors.ForEach(tensor => tensor.MoveToOuterDisposeScope());
        return tensors;
    }

    static Func<Tensor, Tensor> Activation(string name) => name switch
    {
        "quick_gelu" => x => x * (1.702 * x).sigmoid(),
        "gelu" => x => functional.gelu(x),
        "gelu_new" or "gelu_fast" or "gelu_pytorch_tanh" => x => 0.5 * x * (1 + (Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x.pow(3)))).tanh()),
        "relu" => x => x.relu(),
        "silu" or "swish" => x => functional.silu(x),
        "tanh" => x => x.tanh(),
        "sigmoid" => x => x.sigmoid(),
        _ => throw new ArgumentException($"activation_function must be one of {string.Join(", ", ImageGptConfig.Activations)}; given '{name}'", nameof(name)),
    };

    /// <summary>One block's weights; Conv1D matrices are [in, out].</summary>
    sealed class Block(Func<string, Tensor> weight)
    {
        internal readonly Tensor Norm1 = weight("ln_1.weight");
        internal readonly Tensor Qkv = weight("attn.c_attn.weight");
        internal readonly Tensor QkvBias = weight("attn.c_attn.bias");
        internal readonly Tensor Projection = weight("attn.c_proj.weight");
        internal readonly Tensor ProjectionBias = weight("attn.c_proj.bias");
        internal readonly Tensor Norm2 = weight("ln_2.weight");
        internal readonly Tensor Up = weight("mlp.c_fc.weight");
        internal readonly Tensor UpBias = weight("mlp.c_fc.bias");
        internal readonly Tensor Down = weight("mlp.c_proj.weight");
        internal readonly Tensor DownBias = weight("mlp.c_proj.bias");
    }
}
