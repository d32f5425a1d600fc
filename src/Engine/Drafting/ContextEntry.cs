using System.Runtime.CompilerServices;

namespace IgptCluster.Engine.Drafting;

/// <summary>The colours seen most often in one context of <see cref="PixelContext"/>, each with how often.</summary>
public struct ContextEntry
{
    /// <summary>Colours that an entry holds at most.</summary>
    public const int Most = 4;

    Counts _counts;
    Colours _colours;

    /// <summary>How often the context was seen with the colours held.</summary>
    public readonly int Total => _counts[0] + _counts[1] + _counts[2] + _counts[3];

    /// <summary>How often a held colour was seen, 0 where there is none.</summary>
    /// <param name="index">0 … <see cref="Most"/> − 1.</param>
    public readonly int Count(int index) => _counts[index];

    /// <summary>A held colour.</summary>
    /// <param name="index">0 … <see cref="Most"/> − 1.</param>
    public readonly int Colour(int index) => _colours[index];

    /// <summary>Counts a colour. Where there is no room, the rarest one loses a count, and its place when it has none left.</summary>
    /// <param name="colour">The colour.</param>
    /// <param name="count">How often it was seen.</param>
    public void Add(int colour, int count = 1)
    {
        int rarest = 0;
        for (int i = 0; i < Most; i++)
        {
            if (_counts[i] > 0 && _colours[i] == colour)
            {
                _counts[i] = (ushort)Math.Min(_counts[i] + count, ushort.MaxValue);
                return;
            }

            rarest = _counts[i] < _counts[rarest] ? i : rarest;
        }

        if (_counts[rarest] == 0)
        {
            (_colours[rarest], _counts[rarest]) = ((ushort)colour, (ushort)Math.Min(count, ushort.MaxValue));
        }
        else
        {
            _counts[rarest]--;
        }
    }

    [InlineArray(Most)]
    struct Counts
    {
        ushort _first;
    }

    [InlineArray(Most)]
    struct Colours
    {
        ushort _first;
    }
}
