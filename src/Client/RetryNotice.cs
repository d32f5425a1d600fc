using Grpc.Core;

namespace IgptCluster.Client;

/// <summary>A call or stream broke off or was refused for now, and is about to be tried again.</summary>
/// <param name="Failed">The gateway it failed at.</param>
/// <param name="Next">The gateway that is tried next; the same if there is one only, or if it was the cluster that had no room.</param>
/// <param name="Delay">How long until then.</param>
/// <param name="Failure">What happened.</param>
public sealed record RetryNotice(Uri Failed, Uri Next, TimeSpan Delay, RpcException Failure);
