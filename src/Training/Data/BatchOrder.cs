namespace IgptCluster.Training.Data;

/// <summary>
/// Which images make which batch: every epoch is a new shuffle of all images by seed and epoch alone, and batches run on over its end. Any step's
/// batch can be told without those before it, which is what makes training resume exactly. One thread: keeps the latest epoch's shuffle.
/// </summary>
/// <param name="count">Number of images, at least 1.</param>
/// <param name="seed">Seed.</param>
internal sealed class BatchOrder(int count, int seed)
{
    readonly int[] _order = new int[count];
    long _epoch = -1;

    /// <summary>Index of the image that is seen as the n-th of the whole training, counted from 0.</summary>
    internal int this[long ordinal]
    {
        get
        {
            long epoch = ordinal / count;
            if (epoch != _epoch)
            {
                for (int i = 0; i < count; i++)
                    _order[i] = i;
                new Random(unchecked((seed * 1_000_003) + (int)epoch)).Shuffle(_order);
                _epoch = epoch;
            }

            return _order[ordinal % count];
        }
    }
}
