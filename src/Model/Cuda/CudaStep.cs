using System.Runtime.InteropServices;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Model.Cuda;

/// <summary>A step's tables: which token each row is, and which rows are asked for what. Host memory, reused by every step.</summary>
/// <param name="layout">The model's sizes.</param>
/// <param name="scratch">The slot of rows that are padding.</param>
internal sealed class CudaStep(CudaLayout layout, int scratch)
{
    /// <summary>Words of a draw's parameters; as <c>draw_words</c> in sampling.cu.</summary>
    internal const int DrawWords = 12;

    static readonly SamplingParameters Greedy = new() { Temperature = 0 }; // of padding

    readonly List<(int Layer, int Chunk, int Wanted)> _sums = [];
    readonly List<(int First, int Count)> _tiles = [];
    uint[] _table = [];
    double[] _before = [];

    /// <summary>The chunks, in the plan's order.</summary>
    internal IReadOnlyList<SequenceChunk> Chunks { get; private set; } = [];

    /// <summary>Tokens of the step, and rows of padding behind them.</summary>
    internal int Rows { get; private set; }

    /// <summary>Whether it is padded to a bucket; each row has a draw then.</summary>
    internal bool IsPadded { get; private set; }

    /// <summary>Rows whose logits are computed, those of padding included.</summary>
    internal int LogitRows { get; private set; }

    /// <summary>Rows whose logits are asked for.</summary>
    internal int AskedRows { get; private set; }

    /// <summary>Colours that are drawn, those of padding included.</summary>
    internal int Draws { get; private set; }

    /// <summary>Whether any logits are wanted themselves.</summary>
    internal bool WantsLogits { get; private set; }

    /// <summary>Whether any log-probability is wanted.</summary>
    internal bool HasTargets { get; private set; }

    /// <summary>Sums of hidden states, by ascending layer.</summary>
    internal IReadOnlyList<(int Layer, int Chunk, int Wanted)> Sums => _sums;

    /// <summary>Runs of neighbouring rows of a sequence that attention takes together.</summary>
    internal int Tiles => _tiles.Count;

    /// <summary>All tables, one behind the other: tokens, positions, slots [rows]; first row and rows of each tile; rows of logits, targets [logit rows]; first row and rows of each sum; draws.</summary>
    internal ReadOnlySpan<uint> Table => _table.AsSpan(0, DrawsAt + (Draws * DrawWords));

    /// <summary>Words before the draws.</summary>
    internal int DrawsAt => LogitsAt + (2 * LogitRows) + (2 * _sums.Count);

    /// <summary>Words before the rows of logits.</summary>
    internal int LogitsAt => (3 * Rows) + (2 * Tiles);

    /// <summary>What each sum begins with, float64 [sums, E].</summary>
    internal ReadOnlySpan<double> Before => _before.AsSpan(0, _sums.Count * layout.Config.EmbeddingSize);

    /// <summary>Tokens of the step's longest sequence; with padding, the longest that there can be: what is launched must not depend on the step then.</summary>
    internal int Longest { get; private set; }

    /// <summary>Whether a chunk's colours are drawn on the device.</summary>
    internal bool IsDrawn(SequenceChunk chunk) => chunk.Sampling is not null && chunk.Targets.IsEmpty && layout.Draws;

    /// <summary>Takes a step.</summary>
    /// <param name="chunks">Its chunks.</param>
    /// <param name="bucket">Rows to pad it to, where the logits of each token are wanted; 0 for no padding.</param>
    internal void Take(IReadOnlyList<SequenceChunk> chunks, int bucket)
    {
        (Chunks, Rows, LogitRows, Draws, Longest, HasTargets, WantsLogits) = (chunks, 0, 0, 0, 0, false, false);
        _sums.Clear();
        _tiles.Clear();

        // With padding each row is a tile: what is launched must not depend on the step then.
        int together = bucket > 0 ? 1 : layout.RowsOfTile;
        for (int index = 0; index < chunks.Count; index++)
        {
            SequenceChunk chunk = chunks[index];
            for (int row = 0; row < chunk.Tokens.Length; row += together)
                _tiles.Add((Rows + row, Math.Min(together, chunk.Tokens.Length - row)));
            (Rows, LogitRows) = (Rows + chunk.Tokens.Length, LogitRows + chunk.LogitRows);
            Longest = Math.Max(Longest, chunk.Start + chunk.Tokens.Length);
            HasTargets |= !chunk.Targets.IsEmpty;
            Draws += IsDrawn(chunk) ? chunk.LogitRows : 0;
            WantsLogits |= chunk.LogitRows > 0 && chunk.Targets.IsEmpty && !IsDrawn(chunk);
            for (int wanted = 0; wanted < chunk.PooledLayers.Count; wanted++)
                _sums.Add((chunk.PooledLayers[wanted], index, wanted));
        }

        (AskedRows, IsPadded) = (LogitRows, bucket > 0);
        if (IsPadded)
            (Rows, LogitRows, Draws, Longest) = (bucket, bucket, layout.Draws ? bucket : 0, layout.Config.PositionCount);
        while (Rows > (_tiles.Count > 0 ? _tiles[^1].First + _tiles[^1].Count : 0))
            _tiles.Add((_tiles.Count, 1));
        if (_sums.Count > 0)
            _sums.Sort();
        int size = DrawsAt + (Draws * DrawWords);
        if (_table.Length < size)
            _table = new uint[size];
        FillRows();
        FillSums();
        FillDraws();
    }

    void FillRows()
    {
        Span<uint> tokens = _table.AsSpan(0, Rows);
        Span<uint> positions = _table.AsSpan(Rows, Rows);
        Span<uint> slots = _table.AsSpan(2 * Rows, Rows);
        Span<uint> tiles = _table.AsSpan(3 * Rows, 2 * Tiles);
        Span<uint> logits = _table.AsSpan(LogitsAt, LogitRows);
        Span<uint> targets = _table.AsSpan(LogitsAt + LogitRows, LogitRows);
        for (int tile = 0; tile < _tiles.Count; tile++)
            (tiles[2 * tile], tiles[(2 * tile) + 1]) = ((uint)_tiles[tile].First, (uint)_tiles[tile].Count);
        (int row, int logit) = (0, 0);
        for (int index = 0; index < Chunks.Count; index++)
        {
            SequenceChunk chunk = Chunks[index];
            MemoryMarshal.Cast<int, uint>(chunk.Tokens.Span).CopyTo(tokens[row..]);
            int end = row + chunk.Tokens.Length;
            for (int asked = 0; asked < chunk.LogitRows; asked++, logit++)
            {
                logits[logit] = (uint)(end - chunk.LogitRows + asked);
                targets[logit] = chunk.Targets.IsEmpty ? 0 : (uint)chunk.Targets.Span[asked];
            }

            for (int token = 0; token < chunk.Tokens.Length; token++, row++)
                (positions[row], slots[row]) = ((uint)(chunk.Start + token), (uint)chunk.Slot);
        }

        for (; row < Rows; row++)
        {
            (tokens[row], positions[row], slots[row]) = (0, 0, (uint)scratch);
            (logits[row], targets[row]) = ((uint)row, 0);
        }
    }

    // With padding each row has a draw, wanted or not: what is launched must not depend on the step then.
    void FillDraws()
    {
        (int draw, int logit) = (0, 0);
        for (int index = 0; index < Chunks.Count && draw < Draws; index++)
        {
            SequenceChunk chunk = Chunks[index];
            for (int row = 0; row < chunk.LogitRows && (IsPadded || IsDrawn(chunk)); row++)
                WriteDraw(Draw(draw++), logit + row, chunk.Sampling ?? Greedy, chunk.Start + chunk.Tokens.Length - chunk.LogitRows + row);
            logit += chunk.LogitRows;
        }

        for (; draw < Draws; draw++)
            WriteDraw(Draw(draw), draw, Greedy, 0);
    }

    Span<uint> Draw(int draw) => _table.AsSpan(DrawsAt + (draw * DrawWords), DrawWords);

    /// <summary>Writes what the kernel reads of a draw.</summary>
    /// <param name="words"><see cref="DrawWords"/> of them.</param>
    /// <param name="logit">Row of logits.</param>
    /// <param name="sampling">How to draw.</param>
    /// <param name="position">Raster position.</param>
    internal static void WriteDraw(Span<uint> words, int logit, SamplingParameters sampling, int position)
    {
        (words[0], words[1], words[2], words[3]) = ((uint)logit, (uint)position, sampling.Sample, (uint)Math.Max(0, sampling.TopK));
        (words[4], words[5]) = ((uint)sampling.Seed, (uint)(sampling.Seed >> 32));
        (words[6], words[7]) = (BitConverter.SingleToUInt32Bits((float)sampling.Temperature), sampling.Temperature > 0 ? 0u : 1);
        MemoryMarshal.Cast<uint, double>(words)[4] = sampling.Temperature;
        MemoryMarshal.Cast<uint, double>(words)[5] = Math.Max(0, 1 - sampling.TopP);
    }

    void FillSums()
    {
        int width = layout.Config.EmbeddingSize;
        if (_before.Length < _sums.Count * width)
            _before = new double[_sums.Count * width];
        Span<uint> runs = _table.AsSpan(LogitsAt + (2 * LogitRows));
        for (int sum = 0; sum < _sums.Count; sum++)
        {
            (_, int index, int wanted) = _sums[sum];
            int first = 0;
            for (int before = 0; before < index; before++)
                first += Chunks[before].Tokens.Length;
            (runs[2 * sum], runs[(2 * sum) + 1]) = ((uint)first, (uint)Chunks[index].Tokens.Length);
            Span<double> own = _before.AsSpan(sum * width, width);
            if (Chunks[index].PooledBefore.IsEmpty)
                own.Clear();
            else
                Chunks[index].PooledBefore.Span.Slice(wanted * width, width).CopyTo(own);
        }
    }
}
