namespace IgptCluster.Store;

/// <summary>What a folder held when its records were written anew, to tell when that is worth doing again.</summary>
/// <param name="Used">Bytes of its data.</param>
/// <param name="Keys">Number of records.</param>
internal sealed record RewriteNote(long Used, long Keys)
{
    const int Growth = 3; // logs, a snapshot of memory and the append-only file may hold a record each

    /// <summary>Whether much of the data is of records that were overwritten or deleted since.</summary>
    /// <param name="room">The data now.</param>
    /// <param name="keys">Number of records now.</param>
    internal bool IsWorthIt(Room room, long keys) => room.Used > Growth * Used || keys < Keys - (Keys / 10);
}
