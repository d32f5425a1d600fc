namespace IgptCluster.Chaos.Nodes;

internal enum NodeKind
{
    Store,
    Silo,
    Gateway,
}
