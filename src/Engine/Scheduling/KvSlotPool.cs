namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// Which KV slots are free, and what freed ones still hold, so that a prompt seen lately need not be computed again.
/// The engine's thread only.
/// </summary>
sealed class KvSlotPool
{
    // Least recently freed first: what a slot holds is overwritten as late as possible.
    readonly LinkedList<int> _free = [];
    readonly (ReadOnlyMemory<int> Inputs, string Owner)[] _left;

    internal KvSlotPool(int capacity)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        _left = new (ReadOnlyMemory<int>, string)[capacity];
        for (int slot = 0; slot < capacity; slot++)
        {
            _free.AddLast(slot);
        }
    }

    internal int Capacity => _left.Length;

    internal int Free => _free.Count;

    internal int Used => Capacity - Free;

    /// <summary>Takes the least recently freed slot.</summary>
    internal bool TryAcquire(out int slot)
    {
        slot = _free.First?.Value ?? -1;
        if (slot >= 0)
        {
            _free.RemoveFirst();
            _left[slot] = default;
        }

        return slot >= 0;
    }

    /// <summary>Takes a certain free slot, for what it still holds.</summary>
    internal void Acquire(int slot)
    {
        if (!_free.Remove(slot))
        {
            throw new InvalidOperationException($"KV slot {slot} is not free");
        }

        _left[slot] = default;
    }

    /// <summary>Gives a slot back.</summary>
    /// <param name="slot">A slot in use.</param>
    /// <param name="inputs">The input tokens whose keys and values it holds; must not change any more.</param>
    /// <param name="owner">Who may use them.</param>
    internal void Release(int slot, ReadOnlyMemory<int> inputs, string owner)
    {
        if (_free.Contains(slot))
        {
            throw new InvalidOperationException($"KV slot {slot} is free already");
        }

        _left[slot] = (inputs, owner);
        _free.AddLast(slot);
    }

    /// <summary>The free slot of an owner that holds the longest prefix of some inputs, and the prefix's length; length 0 if none does.</summary>
    internal (int Slot, int Length) LongestPrefix(ReadOnlySpan<int> inputs, string owner)
    {
        (int Slot, int Length) best = (-1, 0);
        foreach (int slot in _free)
        {
            int common = _left[slot].Owner == owner ? inputs.CommonPrefixLength(_left[slot].Inputs.Span) : 0;
            best = common > best.Length ? (slot, common) : best;
        }

        return best;
    }
}
