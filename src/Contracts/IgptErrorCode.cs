namespace IgptCluster.Contracts;

/// <summary>Every way a request can fail, as seen by a client. Closed: the gateway maps each value to a gRPC status, and a test walks them all.</summary>
public enum IgptErrorCode
{
    /// <summary>A bug: nothing the caller did.</summary>
    Internal = 0,

    /// <summary>The request breaks a rule (INVALID_ARGUMENT); the message names field, rule and value.</summary>
    InvalidArgument,

    /// <summary>No model of that name is in the cluster (NOT_FOUND).</summary>
    ModelNotFound,

    /// <summary>The model has no head of that name (NOT_FOUND).</summary>
    HeadNotFound,

    /// <summary>No such session, or it has expired (NOT_FOUND).</summary>
    SessionNotFound,

    /// <summary>Queue or KV slots are exhausted (RESOURCE_EXHAUSTED, with a delay after which to retry).</summary>
    Overloaded,

    /// <summary>No replica of the model is up (UNAVAILABLE, with a delay after which to retry).</summary>
    NoReplica,

    /// <summary>The replica is stopping and takes no new work (UNAVAILABLE, with a delay after which to retry).</summary>
    Draining,

    /// <summary>The caller's deadline passed (DEADLINE_EXCEEDED).</summary>
    DeadlineExceeded,

    /// <summary>The caller gave up (CANCELLED).</summary>
    Cancelled,

    /// <summary>The model cannot do what was asked, for instance generate without a language-model head (FAILED_PRECONDITION).</summary>
    Unsupported,

    /// <summary>The head belongs to the checkpoint and is neither replaced nor deleted (FAILED_PRECONDITION).</summary>
    HeadReadOnly,

    /// <summary>The cluster's store does not answer (UNAVAILABLE, with a delay after which to retry).</summary>
    StoreUnavailable,

    /// <summary>The session was rewound while it was watched: what was seen of it is no longer its story (ABORTED).</summary>
    SessionRewound,

    /// <summary>The cluster's store has no room for what is new (RESOURCE_EXHAUSTED; trying again does not help until something is deleted).</summary>
    StoreFull,

    /// <summary>What is stored is damaged (DATA_LOSS).</summary>
    DataLoss,
}
