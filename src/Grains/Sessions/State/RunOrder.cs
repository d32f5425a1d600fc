using IgptCluster.Contracts;

namespace IgptCluster.Grains.Sessions.State;

/// <summary>What a session's run has to do from now on, instead of what it did.</summary>
internal abstract record RunOrder
{
    RunOrder()
    {
    }

    /// <summary>End the generation, which frees its KV slot between two steps.</summary>
    internal sealed record Stop : RunOrder;

    /// <summary>Generate on one replica, or report the refusal.</summary>
    /// <param name="Replica">The replica.</param>
    internal sealed record On(ReplicaId Replica) : RunOrder;

    /// <summary>Generate where another session's KV rows are; where that replica refuses, anywhere.</summary>
    /// <param name="Replica">The replica; null: anywhere.</param>
    internal sealed record Beside(ReplicaId? Replica) : RunOrder;

    /// <summary>Generate on a replica with room, or report the refusal.</summary>
    internal sealed record Anywhere : RunOrder;

    /// <summary>Generate on a replica as soon as one takes the session; ask until then. It was accepted before, so queue limits do not hold.</summary>
    /// <param name="Because">Why it looks for one, for messages.</param>
    /// <param name="IsLoss">Whether it has lost the one it had.</param>
    /// <param name="Left">The replica it had: taken only if there is no other.</param>
    internal sealed record Search(string Because, bool IsLoss, ReplicaId? Left) : RunOrder;
}
