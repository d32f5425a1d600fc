using System.ComponentModel.DataAnnotations;

namespace IgptCluster.Grains.Sessions;

/// <summary>How long sessions are kept.</summary>
public sealed class SessionOptions
{
    /// <summary>How long a new session without a time to live waits for its first viewer. Default 10 s: a gateway attaches at once.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan FirstViewerTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>How long a finished session without a time to live can still be looked up and replayed. Default 60 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "1.00:00:00")]
    public TimeSpan FinishedRetention { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>
    /// How long new tokens may wait at most for others before they are stored, and delivered, together: usually three times what the store takes for a write. The first token and the last of
    /// each row wait for none. Without storage nothing waits. Default 100 ms.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:10")]
    public TimeSpan CommitInterval { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>How often a generation that lost its replica is taken up on another before it fails. Default 3.</summary>
    [Range(0, 100)]
    public int MaxResumptions { get; set; } = 3;

    /// <summary>How long a generation that lost its replica looks for another before it fails. Default 30 s.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "01:00:00")]
    public TimeSpan ResumeTimeout { get; set; } = TimeSpan.FromSeconds(30);
}
