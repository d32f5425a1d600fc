using System.Threading.Channels;
using IgptCluster.Engine.Drafting;
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
    readonly int[] _inputs; // known ones first, then, while a step verifies them, guesses
    readonly TimeSpan _submitted;
    ISequenceDrafter? _drafter;
    int _known;
    int _guessed; // known inputs and guesses
    int _fed; // inputs of the step that runs, guesses included, up to the first that turned out wrong
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

    internal override SequenceChunk NextChunk(int tokens)
    {
        int rows = Math.Max(0, tokens - Remaining + 1);
        _fed = Computed + tokens;
        return new SequenceChunk
        {
            Slot = Slot,
            Start = Computed,
            Tokens = _inputs.AsMemory(Computed, tokens),
            LogitRows = rows,
            Sampling = rows > 0 ? _request.Sampling : null,
        };
    }

    internal override void BeginGuesses() => _guessed = _known;

    internal override double Guess()
    {
        // The last input of all is never fed: nothing follows it.
        if (_drafter is null || _guessed >= _inputs.Length - 1)
        {
            return 0;
        }

        double confidence = 1;
        if (!_request.Forced.TryGetValue(_guessed - 1, out int colour))
        {
            colour = _drafter.Guess(_inputs.AsSpan(1, _guessed - 1), out confidence);
        }

        _inputs[_guessed++] = colour;
        return confidence;
    }

    /// <summary>Lets its tokens be guessed.</summary>
    internal void DraftBy(IDrafter drafter)
    {
        _drafter = drafter.Begin(_request.Sampling);
        _drafter.Learn(_inputs.AsSpan(1, _known - 1), 0);
    }

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

    // Each row's draw is what follows the row's token if all tokens before are right: the first draw that is not the guess fed behind it makes the rows behind useless.
    internal override bool Take(int tokens, ChunkOutput output, Sampler sampler, TimeSpan now)
    {
        (int before, int rows) = (_known, _fed - _known + 1);
        for (int row = 0, input = _known - 1; input < _fed && !IsFinished; row++, input++)
        {
            if (input + 1 < _known)
            {
                continue; // forced
            }

            if (!TryDraw(output, (row, rows), sampler, out int token))
            {
                End(FinishReason.Failed, $"the model's logits at position {input} are not finite: its weights or its arithmetic are broken");
                return false;
            }

            Append(token, now);
            AppendForced(now);
        }

        Computed = _fed;
        _drafter?.Learn(_inputs.AsSpan(1, _known - 1), before - 1);
        return true;
    }

    bool TryDraw(ChunkOutput output, (int Index, int Count) row, Sampler sampler, out int token)
    {
        if (output.Drawn.IsEmpty)
        {
            int logits = output.Logits.Length / row.Count;
            return sampler.TrySample(output.Logits.Span.Slice(row.Index * logits, logits), _request.Sampling, _known - 1, out token);
        }

        token = output.Drawn.Span[row.Index];
        return token != ChunkOutput.NotFinite;
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

        if (_known < _fed && _inputs[_known] != token)
        {
            _fed = _known;
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
