namespace IgptCluster.Chaos.Faults;

/// <summary>What is done to the cluster.</summary>
internal enum FaultKind
{
    /// <summary>kill -9 of a silo; started again a second later.</summary>
    SiloKilled,

    /// <summary>SIGSTOP of a silo until it has been declared dead; then SIGCONT: it finds out and ends itself, and is started again.</summary>
    SiloFrozen,

    /// <summary>kill -9 of a gateway; started again four seconds later.</summary>
    GatewayKilled,

    /// <summary>kill -9 of the store; started again on its folder after one to three seconds.</summary>
    StoreKilled,

    /// <summary>SIGSTOP of the store for some seconds: what was asked of it is carried out after the others have given up on it.</summary>
    StoreFrozen,

    /// <summary>The disk of the store's folder is filled, and freed some seconds later: the store ends, and is started again until it serves.</summary>
    StoreDiskFilled,

    /// <summary>The store's folder is copied while the store writes to it; the copy is tried when the run is over.</summary>
    StoreFolderCopied,

    /// <summary>kill -9 of a silo; started again while the weights are written over in place, as <c>cp</c> does.</summary>
    WeightsOverwritten,

    /// <summary>The model is given fewer replicas, then as many as there are silos again.</summary>
    Scaled,

    /// <summary>SIGTERM of each silo and each gateway in turn, the next when the one before serves again.</summary>
    RollingRestart,

    /// <summary>Nothing is done: what streams stand still anyway, to compare the others with.</summary>
    Nothing,
}
