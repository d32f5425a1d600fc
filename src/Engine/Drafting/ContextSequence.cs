using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Drafting;

/// <summary>
/// <see cref="ContextDrafter"/> for one sequence. Of the colours that followed a context it guesses the most frequent one, or the one that the draw's own random number picks among
/// them: what has been right more often in this picture. The engine's thread only.
/// </summary>
sealed class ContextSequence(int width, ContextTable? table, SamplingParameters sampling) : ISequenceDrafter
{
    const double Unit = 1.0 / (1L << 53); // of Philox.Uniform
    const int OwnWeight = 4; // what was seen in the same picture counts so much more

    readonly OwnContexts _own = new();
    readonly RunningShare _frequent = new();
    readonly RunningShare _drawn = new();
    readonly bool _isGreedy = sampling.Temperature == 0;
    readonly double _power = sampling.Temperature > 0 ? 1 / sampling.Temperature : 1;

    /// <inheritdoc/>
    public double Agreement => Math.Max(_frequent.Value, _drawn.Value);

    /// <inheritdoc/>
    public int Guess(ReadOnlySpan<int> raster)
    {
        Span<ulong> keys = stackalloc ulong[PixelContext.Orders];
        PixelContext.Write(raster, width, keys);
        ContextEntry entry = Find(keys);
        return _drawn.Value > _frequent.Value ? Drawn(entry, raster.Length) : Frequent(entry);
    }

    /// <inheritdoc/>
    public void Learn(ReadOnlySpan<int> raster, int from)
    {
        Span<ulong> keys = stackalloc ulong[PixelContext.Orders];
        for (int position = from; position < raster.Length; position++)
        {
            PixelContext.Write(raster[..position], width, keys);
            ContextEntry entry = Find(keys);
            int colour = raster[position];
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

    /// <summary>What followed the context with the most neighbours that was seen.</summary>
    ContextEntry Find(ReadOnlySpan<ulong> keys)
    {
        foreach (ulong key in keys)
        {
            ContextEntry own = _own.Find(key), entry = table?.Find(key) ?? default;
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
