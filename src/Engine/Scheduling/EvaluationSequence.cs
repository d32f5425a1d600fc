using System.Numerics.Tensors;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Scheduling;

/// <summary>A sequence that is read through once: scored behind the start token, or pooled as it is.</summary>
sealed class EvaluationSequence : Sequence
{
    readonly EvaluationRequest _request;
    readonly TaskCompletionSource<EvaluationResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly ReadOnlyMemory<int> _inputs;
    readonly float[] _logProbabilities;
    readonly double[] _sums;

    internal EvaluationSequence(EvaluationRequest request, ModelShape shape)
        : base(request.Id, request.Priority, request.Client)
    {
        _request = request;
        _inputs = request.LogProbabilities ? (int[])[shape.StartToken, .. request.Tokens.Span[..^1]] : request.Tokens;
        _logProbabilities = new float[request.LogProbabilities ? request.Tokens.Length : 0];
        _sums = new double[request.PooledLayers.Count * shape.EmbeddingSize];
    }

    internal Task<EvaluationResult> Completion => _completion.Task;

    internal override ReadOnlyMemory<int> Inputs => _inputs;

    internal override int Work => _inputs.Length;

    internal override bool IsDecoding => false;

    // Every position's output is wanted, so every position is computed.
    internal override int ShareableInputs => 0;

    internal override bool IsFinished => Remaining == 0;

    internal override SequenceChunk NextChunk(int tokens) => new()
    {
        Slot = Slot,
        Start = Computed,
        Tokens = _inputs.Slice(Computed, tokens),
        LogitRows = _request.LogProbabilities ? tokens : 0,
        Targets = _request.LogProbabilities ? _request.Tokens.Slice(Computed, tokens) : default,
        PooledLayers = _request.PooledLayers,
        PooledBefore = _sums,
    };

    internal override void Start(TimeSpan now)
    {
    }

    internal override void Finish()
    {
        int layers = _request.PooledLayers.Count;
        int width = layers == 0 ? 0 : _sums.Length / layers;
        float[][] means = new float[layers][];
        for (int layer = 0; layer < layers; layer++)
        {
            means[layer] = Array.ConvertAll(_sums.AsSpan(layer * width, width).ToArray(), sum => (float)(sum / _inputs.Length));
        }

        Ended(Id);
        _completion.TrySetResult(new EvaluationResult(means, _logProbabilities));
    }

    internal override void Cancel()
    {
        Ended(Id);
        _completion.TrySetCanceled();
    }

    internal override void Stop(EngineStoppedException reason) => Fail(reason);

    internal override bool Take(int tokens, ChunkOutput output, Sampler sampler, TimeSpan now)
    {
        Computed += tokens;
        output.PooledSums.Span.CopyTo(_sums);
        bool finite = _sums.Length == 0 || TensorPrimitives.IsFiniteAll<double>(_sums); // of no numbers it says false

        ReadOnlySpan<float> scores = output.LogProbabilities.Span;
        foreach (float score in scores)
        {
            finite &= !float.IsNaN(score) && score < float.PositiveInfinity;
        }

        scores.CopyTo(_logProbabilities.AsSpan(_logProbabilities.Length > 0 ? Computed - scores.Length : 0));
        if (!finite)
        {
            Fail(new SequenceFailedException($"the model's outputs up to position {Computed} are not finite: its weights or its arithmetic are broken"));
        }

        return finite;
    }

    void Fail(Exception reason)
    {
        Ended(Id);
        _completion.TrySetException(reason);
    }
}
