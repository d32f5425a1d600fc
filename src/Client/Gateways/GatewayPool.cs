namespace IgptCluster.Client.Gateways;

/// <summary>All gateways of a client. One is in use, by every call; when it fails the next takes its place. Any thread may call.</summary>
internal sealed class GatewayPool : IDisposable
{
    readonly Gateway[] _gateways;

    // Counts losses, so that many streams that broke with one gateway move on by one, not each by one.
    int _turn;
    volatile bool _hasAnswered;

    internal GatewayPool(IgptClientOptions options)
    {
        Options = options;
        _gateways = [.. options.Addresses.Select(address => new Gateway(address, options))];
    }

    internal IgptClientOptions Options { get; }

    internal int Count => _gateways.Length;

    /// <summary>Whether any gateway has ever answered.</summary>
    internal bool HasAnswered
    {
        get => _hasAnswered;
        set => _hasAnswered = value;
    }

    /// <summary>The turn that is on, for <see cref="At"/> and <see cref="MoveOn"/>.</summary>
    internal int Turn => Volatile.Read(ref _turn);

    /// <summary>The gateway in use in a turn.</summary>
    internal Gateway At(int turn) => _gateways[(uint)turn % _gateways.Length];

    /// <summary>The gateway of a turn failed.</summary>
    /// <returns>Whether that was news.</returns>
    internal bool MoveOn(int turn) => Interlocked.CompareExchange(ref _turn, unchecked(turn + 1), turn) == turn;

    public void Dispose() => Array.ForEach(_gateways, gateway => gateway.Dispose());
}
