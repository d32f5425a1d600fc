namespace IgptCluster.Imaging.Tests.Golden;

/// <summary>The largest difference over many comparisons, and where it was.</summary>
sealed class Difference
{
    readonly List<string> _mismatches = [];
    int _comparisons;
    long _values;

    public int Max { get; private set; }

    public void Add(string what, ReadOnlySpan<byte> expected, ReadOnlySpan<byte> actual)
    {
        int[] left = Array.ConvertAll(expected.ToArray(), value => (int)value);
        Add(what, left, Array.ConvertAll(actual.ToArray(), value => (int)value));
    }

    public void Add(string what, ReadOnlySpan<int> expected, ReadOnlySpan<int> actual)
    {
        Assert.True(expected.Length == actual.Length, $"{what}: {expected.Length} values expected, {actual.Length} given");
        Assert.False(expected.IsEmpty, what);
        int max = 0;
        int differing = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            max = Math.Max(max, Math.Abs(expected[i] - actual[i]));
            differing += expected[i] == actual[i] ? 0 : 1;
        }

        if (differing > 0)
            _mismatches.Add($"{what}: {differing} of {expected.Length} differ, at most by {max}");
        Max = Math.Max(Max, max);
        _comparisons++;
        _values += expected.Length;
    }

    /// <summary>Prints what was compared and fails above the tolerance or where nothing was.</summary>
    public void AssertAtMost(int tolerance)
    {
        string summary = $"maximum difference {Max} over {_values} values in {_comparisons} comparisons";
        TestContext.Current.TestOutputHelper?.WriteLine(summary);
        Assert.True(_comparisons > 0, "nothing was compared");
        Assert.True(Max <= tolerance, $"{summary}: {string.Join(Environment.NewLine, _mismatches)}");
    }
}
