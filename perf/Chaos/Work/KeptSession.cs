namespace IgptCluster.Chaos.Work;

/// <summary>A session whose end a client was told, and that is kept.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Variant">What it must have given.</param>
/// <param name="Ended">When its client was told, as Stopwatch counts.</param>
internal sealed record KeptSession(string Id, Variant Variant, long Ended)
{
    const int AtOnce = 8;

    /// <summary>Reads sessions from their beginning: what was acknowledged must be there.</summary>
    /// <param name="where">For messages.</param>
    /// <returns>How many are there and right.</returns>
    internal static async Task<int> CheckAsync(IReadOnlyCollection<KeptSession> sessions, Client.IgptClient client, string where, Violations violations)
    {
        int right = 0;
        await Parallel.ForEachAsync(sessions, new ParallelOptions { MaxDegreeOfParallelism = AtOnce }, async (session, cancellationToken) =>
        {
            if (await session.ProblemAsync(client, cancellationToken) is { } problem)
            {
                violations.Add($"{where}: session {session.Id}, whose end was told: {problem}");
            }
            else
            {
                Interlocked.Increment(ref right);
            }
        });
        return right;
    }

    async Task<string?> ProblemAsync(Client.IgptClient client, CancellationToken cancellationToken)
    {
        var tokens = new List<uint>();
        try
        {
            var attach = new Protocol.V1.AttachRequest { SessionId = Id, FromPosition = (uint)Variant.Prompt, Stream = Variant.Request.Stream };
            await foreach (Protocol.V1.GenerateEvent happened in client.AttachAsync(attach, cancellationToken: cancellationToken))
            {
                tokens.AddRange(happened.Tokens?.Ids ?? []);
            }
        }
        catch (Grpc.Core.RpcException failure)
        {
            return $"{failure.StatusCode}, {failure.Status.Detail}";
        }

        return tokens.SequenceEqual(Variant.Reference[0]) ? null : $"it has other tokens, {tokens.Count} of {Variant.Reference[0].Length}";
    }
}
