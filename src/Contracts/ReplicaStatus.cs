namespace IgptCluster.Contracts;

/// <summary>A replica's load at one moment.</summary>
[GenerateSerializer, Immutable, Alias("igpt.replica-status")]
public sealed record ReplicaStatus
{
    /// <summary>The replica.</summary>
    [Id(0)]
    public required ReplicaId Id { get; init; }

    /// <summary>Whether it can take work.</summary>
    [Id(1)]
    public required ReplicaState State { get; init; }

    /// <summary>Name of the silo it lives on.</summary>
    [Id(2)]
    public required string Silo { get; init; }

    /// <summary>Device it owns, <c>cpu</c> or <c>cuda:0</c>.</summary>
    [Id(3)]
    public required string Device { get; init; }

    /// <summary>Weights' data type, <c>float32</c>.</summary>
    [Id(4)]
    public required string DType { get; init; }

    /// <summary>KV slots in all.</summary>
    [Id(5)]
    public int SlotsTotal { get; init; }

    /// <summary>KV slots in use.</summary>
    [Id(6)]
    public int SlotsUsed { get; init; }

    /// <summary>Sequences that hold a slot.</summary>
    [Id(7)]
    public int Running { get; init; }

    /// <summary>Sequences that wait for one.</summary>
    [Id(8)]
    public int Waiting { get; init; }

    /// <summary>Tokens computed per second, lately.</summary>
    [Id(9)]
    public double TokensPerSecond { get; init; }

    /// <summary>What guesses its sequences' tokens; empty if nothing does.</summary>
    [Id(17)]
    public string Drafter { get; init; } = "";

    /// <summary>Tokens guessed since it was loaded.</summary>
    [Id(18)]
    public long DraftedTokens { get; init; }

    /// <summary>Of those, the ones that were right.</summary>
    [Id(19)]
    public long AcceptedTokens { get; init; }

    /// <summary>Why it cannot take work; empty if it can.</summary>
    [Id(10)]
    public string Message { get; init; } = "";

    /// <summary>Address of the silo it lives on, as Orleans writes it.</summary>
    [Id(11)]
    public string SiloAddress { get; init; } = "";

    /// <summary>Version of the loaded model (<see cref="ModelDescription.Version"/>); empty while loading.</summary>
    [Id(12)]
    public string ModelVersion { get; init; } = "";

    /// <summary>Changes with the put heads it has: the same for replicas with the same ones. Empty until its model has given it all of them.</summary>
    [Id(13)]
    public string HeadsVersion { get; init; } = "";

    /// <summary>Share of its weights that is there, 0 … 1.</summary>
    [Id(14)]
    public double Loaded { get; init; } = 1;

    /// <summary>Which version it was told to load (<see cref="ModelDeployment.Revision"/>).</summary>
    [Id(15)]
    public long Revision { get; init; }

    /// <summary>Most sequences that it takes at a time, those that run and those that wait; 0 while loading.</summary>
    [Id(16)]
    public int Capacity { get; init; }
}
