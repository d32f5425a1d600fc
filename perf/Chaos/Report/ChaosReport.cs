namespace IgptCluster.Chaos.Report;

/// <summary>All results of a run.</summary>
/// <param name="Load">The machine's load averages when it began and ended.</param>
/// <param name="Finished">Sessions that ran to their end.</param>
/// <param name="Watched">Further viewers who saw one to its end.</param>
/// <param name="Tokens">Tokens the generating streams gave.</param>
/// <param name="Resumptions">How often sessions went on elsewhere.</param>
/// <param name="Resumed">Sessions that did.</param>
/// <param name="Unary">Scores and classifications.</param>
/// <param name="LongestUnary">The longest of them, s.</param>
/// <param name="Retries">Waits of the client library.</param>
/// <param name="WrongDeaths">Processes that ended because they were declared dead although nothing had been done to them.</param>
/// <param name="Declared">Seconds from a freezing to the declaration of death.</param>
internal sealed record ChaosReport(
    ChaosSettings Settings,
    string Commit,
    string[] Load,
    double Seconds,
    int Finished,
    int Watched,
    long Tokens,
    int Resumptions,
    int Resumed,
    int Unary,
    double LongestUnary,
    int Retries,
    int WrongDeaths,
    Distribution Declared,
    IReadOnlyList<Recovery> Recoveries,
    IReadOnlyCollection<string> Violations);
