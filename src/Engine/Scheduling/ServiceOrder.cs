namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// The order in which sequences are served: higher priority first, then readmissions, then earlier arrival. Among waiting sequences of one rank the client that was served least
/// goes first (<see cref="Scheduler"/>); that changes with every step, and is no part of this order. Any thread.
/// </summary>
sealed class ServiceOrder : IComparer<Sequence>
{
    internal static readonly ServiceOrder Instance = new();

    public int Compare(Sequence? first, Sequence? second)
    {
        int rank = Rank(first!, second!);
        return rank != 0 ? rank : first!.Arrival.CompareTo(second!.Arrival);
    }

    /// <summary>Whether only arrival and what their clients were served decide between two sequences.</summary>
    internal static bool HaveOneRank(Sequence first, Sequence second) => Rank(first, second) == 0;

    /// <summary>Inserts a sequence into a list in this order.</summary>
    internal static void Insert(List<Sequence> list, Sequence sequence) => list.Insert(~list.BinarySearch(sequence, Instance), sequence);

    static int Rank(Sequence first, Sequence second)
    {
        int priority = second.Priority.CompareTo(first.Priority);
        return priority != 0 ? priority : second.IsReadmission.CompareTo(first.IsReadmission);
    }
}
