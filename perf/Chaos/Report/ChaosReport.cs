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
/// <param name="Kept">How many of the sessions that had ended and were kept were there and right in the end.</param>
/// <param name="Copies">What became of each copy of the store's folder.</param>
/// <param name="Refusals">What was refused, how often and in which words.</param>
/// <param name="LeftOut">Faults that could not be done here.</param>
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
    string Kept,
    IReadOnlyList<string> Copies,
    IReadOnlyList<string> Refusals,
    IReadOnlyList<string> LeftOut,
    IReadOnlyCollection<string> Violations);
