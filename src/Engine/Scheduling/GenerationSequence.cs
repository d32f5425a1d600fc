using System.Threading.Channels;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Scheduling;

/// <summary>A sequence that is continued: start token, prompt, then tokens drawn or forced. Input i + 1 is raster position i.</summary>
sealed class GenerationSequence : Sequence
{
    readonly GenerationRequest _request;
    readonly Channel<GeneratedToken> _tokens;
    readonly TaskCompletionSource<GenerationResult> _completion = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly int[] _inputs;
    readonly TimeSpan _submitted;
    int _known;
    int _prefill;
    TimeSpan? _started;
    TimeSpan? _first;
    TimeSpan _last;

    internal GenerationSequence(GenerationRequest request, int startToken, TimeSpan now)
        : base(request.Id, request.Priority, request.Client)
    {
        _request = request;
        _submitted = now;
        _inputs = new int[1 + request.Prompt.Length + request.MaxNewTokens];
        _inputs[0] = startToken;
        request.Prompt.Span.CopyTo(_inputs.AsSpan(1));
        _known = 1 + request.Prompt.Length;

        // One generation's tokens all fit: the engine never waits for a reader.
        _tokens = Channel.CreateBounded<GeneratedToken>(new BoundedChannelOptions(request.MaxNewTokens)
        {
            SingleReader = true,
            SingleWriter = true,
            FullMode = BoundedChannelFullMode.Wait,
        });
        AppendForced(now);
        _prefill = _known;
    }

    internal Generation Stream => new(Id, _tokens.Reader, _completion.Task);

    internal override ReadOnlyMemory<int> Inputs => _inputs.AsMemory(0, _known);

    internal override int Work => _inputs.Length;

    internal override bool IsReadmission => _request.IsReadmission;

    internal override bool CanBePreempted => true;

    internal override bool IsDecoding => Computed >= _prefill;

    // The last input must be computed: its logits give the next token.
    internal override int ShareableInputs => _known - 1;

    internal override bool IsFinished => _known == _inputs.Length;

    internal override SequenceChunk NextChunk(int tokens) => new()
    {
        Slot = Slot,
        Start = Computed,
        Tokens = _inputs.AsMemory(Computed, tokens),
        WantsLogits = tokens == Remaining,
        Sampling = tokens == Remaining ? _request.Sampling : null,
    };

    internal override void Start(TimeSpan now) => _started ??= now;

    internal override void Preempt()
    {
        base.Preempt();
        _prefill = _known;
    }

    internal override void Finish() => End(FinishReason.Length, "");

    internal override void Cancel() => End(FinishReason.Cancelled, "");

    internal override void Stop(EngineStoppedException reason)
    {
        Ended(Id);
        _tokens.Writer.TryComplete(reason);
        _completion.TrySetException(reason);
    }

    protected override bool Take(ChunkOutput output, Sampler sampler, TimeSpan now)
    {
        if (Remaining > 0)
        {
            return true;
        }

        int position = _known - 1;
        int token = output.Drawn ?? ChunkOutput.NotFinite;
        if (output.Drawn is null ? !sampler.TrySample(output.Logits.Span, _request.Sampling, position, out token) : token == ChunkOutput.NotFinite)
        {
            End(FinishReason.Failed, $"the model's logits at position {position} are not finite: its weights or its arithmetic are broken");
            return false;
        }

        Append(token, now);
        AppendForced(now);
        return true;
    }

    void AppendForced(TimeSpan now)
    {
        while (!IsFinished && _request.Forced.TryGetValue(_known - 1, out int forced))
        {
            Append(forced, now);
        }
    }

    void Append(int token, TimeSpan now)
    {
        if (!_tokens.Writer.TryWrite(new GeneratedToken(_known - 1, token)))
        {
            throw new InvalidOperationException($"sequence {Id} made more tokens than it was asked for");
        }

        _inputs[_known++] = token;
        _first ??= now;
        _last = now;
    }

    void End(FinishReason reason, string message)
    {
        TimeSpan started = _started ?? _last;
        TimeSpan first = _first ?? started;
        Ended(Id);
        _tokens.Writer.TryComplete();
        _completion.TrySetResult(new GenerationResult(reason, message, Between(_submitted, started), Between(started, first), Between(first, _last)));
    }

    static TimeSpan Between(TimeSpan from, TimeSpan to) => to > from ? to - from : TimeSpan.Zero;
}
