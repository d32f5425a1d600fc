namespace IgptCluster.Simulation.Load;

/// <summary>What one or more clients asked for and got.</summary>
/// <param name="Asked">Requests.</param>
/// <param name="Refused">Of these, refused because a queue was full.</param>
/// <param name="Finished">Generations that came to their end.</param>
/// <param name="Failed">Requests that ended otherwise.</param>
/// <param name="Tokens">Tokens that arrived.</param>
/// <param name="Classified">Classifications.</param>
internal readonly record struct ClientCounts(long Asked, long Refused, long Finished, long Failed, long Tokens, long Classified)
{
    public static ClientCounts operator +(ClientCounts one, ClientCounts other) =>
        new(one.Asked + other.Asked, one.Refused + other.Refused, one.Finished + other.Finished, one.Failed + other.Failed, one.Tokens + other.Tokens, one.Classified + other.Classified);

    public static ClientCounts operator -(ClientCounts one, ClientCounts other) =>
        new(one.Asked - other.Asked, one.Refused - other.Refused, one.Finished - other.Finished, one.Failed - other.Failed, one.Tokens - other.Tokens, one.Classified - other.Classified);
}
