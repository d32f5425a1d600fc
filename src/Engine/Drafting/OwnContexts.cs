namespace IgptCluster.Engine.Drafting;

/// <summary>
/// What followed each context in one picture. Of bounded size: a context that falls on another's place takes it. The engine's thread only.
/// </summary>
sealed class OwnContexts
{
    const int Places = 4096; // a power of two: a picture has 1,024 pixels, each with a few contexts

    readonly ContextEntry[] _entries = new ContextEntry[Places];
    readonly uint[] _tags = new uint[Places];

    /// <summary>What followed a context; nothing where it was not seen.</summary>
    internal ContextEntry Find(ulong key) => _tags[Place(key)] == Tag(key) ? _entries[Place(key)] : default;

    /// <summary>Counts a colour that followed a context.</summary>
    internal void Add(ulong key, int colour)
    {
        int place = Place(key);
        if (_tags[place] != Tag(key))
        {
            (_tags[place], _entries[place]) = (Tag(key), default);
        }

        _entries[place].Add(colour);
    }

    static int Place(ulong key) => (int)(key & (Places - 1));

    // Never 0, that of a free place.
    static uint Tag(ulong key) => (uint)(key >> 32) | 1;
}
