namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// How much each client has been served, so that of those who wait the one that has had least is next (the virtual token counters of Sheng et al., "Fairness in Serving Large
/// Language Models", OSDI 2024). Who comes after a pause begins where the least served of the others stands: nobody saves up. The engine's thread only.
/// </summary>
sealed class ClientShares
{
    const int MostKept = 10_000;

    readonly Dictionary<string, ClientShare> _shares = [];

    /// <summary>A client's sequence comes.</summary>
    internal ClientShare Enter(string client)
    {
        if (!_shares.TryGetValue(client, out ClientShare? share))
        {
            _shares[client] = share = new ClientShare(client);
        }

        if (share.Sequences++ == 0)
        {
            share.Served = Math.Max(share.Served, Least(share));
        }

        return share;
    }

    /// <summary>A client's sequence has ended.</summary>
    internal void Leave(ClientShare share)
    {
        // One that has had more than others is remembered: it would come back as if it had not.
        if (--share.Sequences == 0 && (share.Served <= Least(share) || _shares.Count > MostKept))
        {
            _shares.Remove(share.Client);
        }
    }

    long Least(ClientShare but)
    {
        long? least = null;
        foreach (ClientShare share in _shares.Values)
        {
            if (share != but && share.Sequences > 0 && !(least <= share.Served))
            {
                least = share.Served;
            }
        }

        return least ?? 0;
    }
}
