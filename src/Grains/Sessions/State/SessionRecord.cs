using System.Buffers.Binary;
using IgptCluster.Contracts;

namespace IgptCluster.Grains.Sessions.State;

/// <summary>What is stored of a session: with it, any silo can go on.</summary>
[GenerateSerializer, Immutable, Alias("igpt.session-record")]
internal sealed record SessionRecord
{
    /// <summary>What it generates; null where nothing is stored.</summary>
    [Id(0)]
    public GenerationSpec? Spec { get; init; }

    /// <summary>The tokens made so far, two bytes each, least significant first.</summary>
    [Id(1)]
    public byte[] Tokens { get; init; } = [];

    /// <summary>Whether it rests until someone wants it.</summary>
    [Id(2)]
    public bool IsPaused { get; init; }

    /// <summary>How it ended; null while it has not.</summary>
    [Id(3)]
    public SessionResult? Result { get; init; }

    /// <summary>When it was started (UTC).</summary>
    [Id(4)]
    public DateTimeOffset Created { get; init; }

    /// <summary>Where its time went, up to the latest pause or loss.</summary>
    [Id(5)]
    public SessionTimings Spent { get; init; } = new(default, default, default, default, 0);

    /// <summary>The session it was forked from; null if none.</summary>
    [Id(6)]
    public SessionId? Parent { get; init; }

    /// <summary>How often it has been rewound.</summary>
    [Id(7)]
    public int Rewinds { get; init; }

    /// <summary>Ids of the latest operations, oldest first.</summary>
    [Id(8)]
    public string[] Operations { get; init; } = [];

    /// <summary>When it will be forgotten (UTC); null while a viewer keeps it.</summary>
    [Id(9)]
    public DateTimeOffset? Expires { get; init; }

    /// <summary>The activation that wrote it.</summary>
    [Id(10)]
    public Guid Writer { get; init; }

    /// <summary>The latest attempt that started or joined it (<see cref="ISessionGrain.WithdrawAsync"/>).</summary>
    [Id(11)]
    public Guid Attempt { get; init; }

    /// <summary>Packs tokens.</summary>
    /// <param name="tokens">Each 0 … 65535: palettes have at most that many colours.</param>
    public static byte[] Pack(ReadOnlySpan<int> tokens)
    {
        byte[] packed = new byte[tokens.Length * sizeof(ushort)];
        for (int index = 0; index < tokens.Length; index++)
        {
            BinaryPrimitives.WriteUInt16LittleEndian(packed.AsSpan(index * sizeof(ushort)), checked((ushort)tokens[index]));
        }

        return packed;
    }

    /// <summary>The tokens made so far.</summary>
    public int[] Unpack() => [.. Enumerable.Range(0, Tokens.Length / sizeof(ushort)).Select(index => (int)BinaryPrimitives.ReadUInt16LittleEndian(Tokens.AsSpan(index * sizeof(ushort))))];
}
