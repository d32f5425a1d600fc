using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Drafting;

/// <summary>
/// <see cref="ContextDrafter"/> for one sequence. Of the colours that followed a context it guesses the most frequent one, or the one that the draw's own random number picks among
/// them: what has been right more often in this picture. The engine's thread only.
/// </summary>
sealed class ContextSequence(int width, ContextTable? table, SamplingParameters sampling, GuessRule rule = GuessRule.Better) : ISequenceDrafter
{
    const double Unit = 1.0 / (1L << 53); // of Philox.Uniform
    const int OwnWeight = 4; // what was seen in the same picture counts so much more

    const int Shares = 3;

    readonly OwnContexts _own = new();
    readonly RunningShare[] _kinds = [.. Enumerable.Range(0, (PixelContext.Orders + 1) * Shares * 2).Select(_ => new RunningShare())];
    readonly RunningShare _frequent = new();
    readonly RunningShare _drawn = new();
    readonly bool _isGreedy = sampling.Temperature == 0;
    readonly double _power = sampling.Temperature > 0 ? 1 / sampling.Temperature : 1;

    /// <inheritdoc/>
    public int Guess(ReadOnlySpan<int> raster, out double confidence)
    {
        Span<ulong> keys = stackalloc ulong[PixelContext.Orders];
        PixelContext.Write(raster, width, keys);
        ContextEntry entry = Find(keys, out int order);
        confidence = _kinds[KindOf(entry, order)].Lean(Math.Max(_frequent.Value, _drawn.Value));
        return ByRule(entry, raster.Length);
    }

    /// <inheritdoc/>
    public void Learn(ReadOnlySpan<int> raster, int from)
    {
        Span<ulong> keys = stackalloc ulong[PixelContext.Orders];
        for (int position = from; position < raster.Length; position++)
        {
            PixelContext.Write(raster[..position], width, keys);
            ContextEntry entry = Find(keys, out int order);
            int colour = raster[position];
            _kinds[KindOf(entry, order)].Add(ByRule(entry, position) == colour);
            _frequent.Add(Frequent(entry) == colour);
            if (!_isGreedy)
            {
                _drawn.Add(Drawn(entry, position) == colour);
            }

            foreach (ulong key in keys)
            {
                _own.Add(key, colour);
            }
        }
    }

    int ByRule(ContextEntry entry, int position) =>
        rule == GuessRule.Drawn || (rule == GuessRule.Better && _drawn.Value > _frequent.Value) ? Drawn(entry, position) : Frequent(entry);

    /// <summary>What followed the context with the most neighbours that was seen, and which one of <see cref="PixelContext"/> that is.</summary>
    ContextEntry Find(ReadOnlySpan<ulong> keys, out int order)
    {
        for (order = 0; order < keys.Length; order++)
        {
            ContextEntry own = _own.Find(keys[order]), entry = table?.Find(keys[order]) ?? default;
            for (int i = 0; i < ContextEntry.Most; i++)
            {
                if (own.Count(i) > 0)
                {
                    entry.Add(own.Colour(i), OwnWeight * own.Count(i));
                }
            }

            if (entry.Total > 0)
            {
                return entry;
            }
        }

        return default;
    }

    // How sure its guess is: by the context's neighbours, by how much of the time the same colour followed, and by how often it was seen.
    static int KindOf(ContextEntry entry, int order)
    {
        int total = entry.Total, most = 0;
        for (int i = 0; i < ContextEntry.Most; i++)
        {
            most = Math.Max(most, entry.Count(i));
        }

        int share = most == total ? 0 : most * 4 >= total * 3 ? 1 : 2;
        return (((order * Shares) + share) * 2) + (total > OwnWeight ? 1 : 0);
    }

    static int Frequent(ContextEntry entry)
    {
        int best = 0;
        for (int i = 1; i < ContextEntry.Most; i++)
        {
            best = entry.Count(i) > entry.Count(best) ? i : best;
        }

        return entry.Colour(best);
    }

    /// <summary>As <see cref="Sampler"/> draws: colours in their order, as far as the position's random number reaches.</summary>
    int Drawn(ContextEntry entry, int position)
    {
        Span<double> weights = stackalloc double[ContextEntry.Most];
        double sum = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = _power == 1 || entry.Count(i) == 0 ? entry.Count(i) : Math.Pow(entry.Count(i), _power);
            sum += weights[i];
        }

        double reach = Philox.Uniform(sampling.Seed, sampling.Sample, (uint)position) * Unit * sum;
        int drawn = entry.Colour(0);
        for (int done = 0; done < weights.Length; done++)
        {
            int next = -1;
            for (int i = 0; i < weights.Length; i++)
            {
                next = weights[i] > 0 && (next < 0 || entry.Colour(i) < entry.Colour(next)) ? i : next;
            }

            if (next < 0)
            {
                break;
            }

            drawn = entry.Colour(next);
            reach -= weights[next];
            weights[next] = 0;
            if (reach < 0)
            {
                break;
            }
        }

        return drawn;
    }
}
