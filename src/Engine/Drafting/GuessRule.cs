namespace IgptCluster.Engine.Drafting;

/// <summary>Which of the colours that followed a context is guessed.</summary>
enum GuessRule
{
    /// <summary>The one that has been right more often in this picture by one of the other rules.</summary>
    Better,

    /// <summary>The most frequent one.</summary>
    Frequent,

    /// <summary>The one that the draw's own random number picks among them.</summary>
    Drawn,
}
