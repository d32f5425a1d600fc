using IgptCluster.Client;

namespace IgptCluster.Chaos.Work;

/// <summary>A client, and the gateway that its calls go to now.</summary>
internal sealed class LoadClient : IDisposable
{
    volatile Uri _gateway;

    /// <summary>A client that begins at the first of its gateways.</summary>
    /// <param name="gateways">Its gateways.</param>
    /// <param name="retrying">Told of each wait.</param>
    internal LoadClient(IReadOnlyList<Uri> gateways, Action retrying)
    {
        _gateway = gateways[0];
        Calls = new IgptClient(new IgptClientOptions
        {
            Addresses = gateways,
            Retrying = notice =>
            {
                _gateway = notice.Next;
                retrying();
            },
        });
    }

    internal IgptClient Calls { get; }

    /// <summary>Where its calls, and almost all of its streams, go.</summary>
    internal Uri Gateway => _gateway;

    public void Dispose() => Calls.Dispose();
}
