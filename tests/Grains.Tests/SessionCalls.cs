using IgptCluster.Contracts;

namespace IgptCluster.Grains.Tests;

/// <summary>A session as tests use it.</summary>
internal static class SessionCalls
{
    public static int[] Prompt { get; } = [1, 2, 3];

    /// <summary>An image of 64 pixels behind the prompt, always the most likely colours.</summary>
    public static GenerationSpec Spec => new()
    {
        Model = "toy",
        Prompt = Prompt,
        EndPosition = 64,
        Width = 8,
        Height = 8,
        Sampling = new SamplingSettings { Temperature = 0, TopK = 0, TopP = 1, Seed = 1 },
    };

    /// <summary>Starts a session once every silo with a device has a replica.</summary>
    public static async Task<ISessionGrain> StartAsync(TestCluster cluster, GenerationSpec spec, string id = "first")
    {
        ReplicaId replica = (await cluster.ReadyAsync("toy", cluster.DeviceCount))[0].Id;
        ISessionGrain session = cluster.Grains.GetGrain<ISessionGrain>(id);
        await session.StartAsync(spec, replica);
        return session;
    }

    /// <summary>Reads to the end, and checks on the way that nothing is left out, repeated, or behind the result.</summary>
    public static async Task<(int[] Tokens, SessionResult? Result)> ReadAsync(ISessionGrain session, int from)
    {
        var tokens = new List<int>();
        SessionResult? result = null;
        await foreach (SessionUpdate update in session.ReadAsync(from, cancellationToken: TestCluster.Cancelled))
        {
            Assert.Null(result);
            Assert.Equal(from + tokens.Count, update.Position);
            tokens.AddRange(update.Tokens);
            result = update.Result;
        }

        Assert.NotNull(result);
        return ([.. tokens], result);
    }
}
