using System.Numerics;
using System.Runtime.InteropServices;

namespace IgptCluster.Engine.Drafting;

/// <summary>What followed each context of <see cref="PixelContext"/> in a model's pictures. Immutable; any thread.</summary>
public sealed class ContextTable
{
    readonly ulong[] _keys; // 0: a free place
    readonly ContextEntry[] _entries;

    /// <summary>Takes counts over.</summary>
    /// <param name="counts">What followed each context.</param>
    public ContextTable(IReadOnlyCollection<KeyValuePair<ulong, ContextEntry>> counts)
    {
        ArgumentNullException.ThrowIfNull(counts);
        int places = (int)BitOperations.RoundUpToPowerOf2((uint)(counts.Count * 2) + 1);
        (_keys, _entries, ContextCount) = (new ulong[places], new ContextEntry[places], counts.Count);
        foreach ((ulong key, ContextEntry entry) in counts)
        {
            int place = PlaceOf(key);
            (_keys[place], _entries[place]) = (key, entry);
        }
    }

    /// <summary>Counts what follows each context in pictures.</summary>
    /// <param name="pictures">Colours in raster order.</param>
    /// <param name="width">Pixels of a row.</param>
    public static ContextTable Count(IEnumerable<ReadOnlyMemory<int>> pictures, int width)
    {
        ArgumentNullException.ThrowIfNull(pictures);
        var counts = new Dictionary<ulong, ContextEntry>();
        Span<ulong> keys = stackalloc ulong[PixelContext.Orders];
        foreach (ReadOnlyMemory<int> picture in pictures)
        {
            for (int position = 0; position < picture.Length; position++)
            {
                PixelContext.Write(picture.Span[..position], width, keys);
                foreach (ulong key in keys)
                {
                    CollectionsMarshal.GetValueRefOrAddDefault(counts, key, out _).Add(picture.Span[position]);
                }
            }
        }

        return new ContextTable(counts);
    }

    /// <summary>Number of contexts.</summary>
    public int ContextCount { get; }

    /// <summary>Its contexts and what followed them, in no particular order.</summary>
    public IEnumerable<KeyValuePair<ulong, ContextEntry>> Entries => _keys.Zip(_entries, KeyValuePair.Create).Where(pair => pair.Key != 0);

    /// <summary>What followed a context; nothing where it was not seen.</summary>
    /// <param name="key">Its key, not 0.</param>
    public ContextEntry Find(ulong key) => _entries[PlaceOf(key)];

    /// <summary>The contexts that were seen more than once: of those that were not, the same picture tells as much. The most frequent ones where there are too many.</summary>
    /// <param name="most">Contexts at most.</param>
    public ContextTable Prune(int most) => new([.. Entries.Where(pair => pair.Value.Total > 1).OrderByDescending(pair => pair.Value.Total).ThenBy(pair => pair.Key).Take(most)]);

    // Where a key is, or would be.
    int PlaceOf(ulong key)
    {
        int place = (int)key & (_keys.Length - 1);
        while (_keys[place] != 0 && _keys[place] != key)
        {
            place = (place + 1) & (_keys.Length - 1);
        }

        return place;
    }
}
