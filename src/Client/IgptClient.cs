using System.Runtime.CompilerServices;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Client.Gateways;
using IgptCluster.Client.Generations;
using IgptCluster.Client.Retries;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client;

/// <summary>A client of an IgptCluster that survives the loss of gateways and silos: calls are tried again where that is right, and streams go on where they broke off. Any thread may call.</summary>
public sealed class IgptClient : IDisposable
{
    readonly GatewayPool _gateways;
    readonly TimeSpan _defaultSessionTtl;

    /// <summary>A client of the given gateways, with the default options. Connections come about with the first call.</summary>
    /// <param name="addresses">Gateways in the order in which they are tried, for instance <c>http://127.0.0.1:5081</c>.</param>
    /// <exception cref="ArgumentException">There is none, or one is not an http:// or https:// URL.</exception>
    public IgptClient(params Uri[] addresses)
        : this(new IgptClientOptions { Addresses = addresses })
    {
    }

    /// <summary>A client with options of its own.</summary>
    /// <param name="options">Gateways, limits and waits.</param>
    /// <exception cref="ArgumentException">An option breaks its rule.</exception>
    public IgptClient(IgptClientOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _gateways = new GatewayPool(options);
        _defaultSessionTtl = options.DefaultSessionTtl;
        Invoker = new RetryingInvoker(_gateways);
    }

    /// <summary>
    /// What generated clients call through: <c>new Models.ModelsClient(client.Invoker)</c>. Unary calls are tried again after UNAVAILABLE, a lost connection, and RESOURCE_EXHAUSTED
    /// with RetryInfo, with one operation_id. Streams are not: for those there are <see cref="GenerateAsync"/>, <see cref="AttachAsync"/> and <see cref="WatchAsync"/>.
    /// </summary>
    public CallInvoker Invoker { get; }

    /// <summary>Generates, and gives per sample exactly one <c>started</c>, each token exactly once and in order, and exactly one <c>finished</c>, whatever is lost in between.</summary>
    /// <param name="request">
    /// What to generate; it stays as it is. Without an operation_id it is given a new one with each enumeration, without a session_ttl the <see cref="IgptClientOptions.DefaultSessionTtl"/>. With a
    /// session_ttl of 0 a session is lost with its gateway.
    /// </param>
    /// <param name="deadline">When to give up (UTC); null = never. Sessions are paused then, and can be attached to within their time to live.</param>
    /// <param name="cancellationToken">Ends the enumeration. When it is left before its end, sessions that have the default time to live are cancelled; those with one of the request's go on.</param>
    /// <exception cref="RpcException">The server refuses, nobody answers within <see cref="IgptClientOptions.RetryLimit"/>, the deadline passed, a session was rewound meanwhile (ABORTED), or the server broke the rules of the stream (DATA_LOSS).</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async IAsyncEnumerable<GenerateEvent> GenerateAsync(GenerateRequest request, DateTime? deadline = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        GenerateRequest own = OperationId.Ensure(request.Clone());
        bool hasDefaultTtl = own.SessionTtl is null && _defaultSessionTtl > TimeSpan.Zero;
        own.SessionTtl = hasDefaultTtl ? Duration.FromTimeSpan(_defaultSessionTtl) : own.SessionTtl;
        await foreach (GenerateEvent happened in new GenerationStream(_gateways, own, deadline).ReadAsync(endsWhenLeft: hasDefaultTtl, cancellationToken).ConfigureAwait(false))
        {
            yield return happened;
        }
    }

    /// <summary>Follows one session from a position to its end, with the guarantees of <see cref="GenerateAsync"/>. Leaving does nothing to the session.</summary>
    /// <param name="request">Which session, and from where; it stays as it is.</param>
    /// <param name="deadline">When to give up (UTC); null = never.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <exception cref="RpcException">As <see cref="GenerateAsync"/>; NOT_FOUND: there is no such session any more.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async IAsyncEnumerable<GenerateEvent> AttachAsync(AttachRequest request, DateTime? deadline = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(request);
        await foreach (GenerateEvent happened in new GenerationStream(_gateways, request.Clone(), deadline).ReadAsync(endsWhenLeft: false, cancellationToken).ConfigureAwait(false))
        {
            yield return happened;
        }
    }

    /// <summary>The cluster's state at once and whenever it has changed, until cancelled. A lost gateway means one state more, not an end.</summary>
    /// <param name="deadline">When to give up (UTC); null = never.</param>
    /// <param name="cancellationToken">Ends the enumeration.</param>
    /// <exception cref="RpcException">The server refuses, nobody answers within <see cref="IgptClientOptions.RetryLimit"/>, or the deadline passed.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public async IAsyncEnumerable<ClusterDescription> WatchAsync(DateTime? deadline = null, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var attempts = new Attempts(_gateways, deadline);
        while (true)
        {
            using AsyncServerStreamingCall<ClusterDescription> call = new Cluster.ClusterClient(attempts.Next()).Watch(new WatchClusterRequest(), deadline: deadline, cancellationToken: cancellationToken);
            while (await MoveNextAsync(attempts, call.ResponseStream, cancellationToken).ConfigureAwait(false))
            {
                yield return call.ResponseStream.Current;
            }
        }
    }

    /// <summary>Closes all connections; calls in progress fail.</summary>
    public void Dispose() => _gateways.Dispose();

    static async Task<bool> MoveNextAsync(Attempts attempts, IAsyncStreamReader<ClusterDescription> stream, CancellationToken cancellationToken)
    {
        RpcException failure;
        try
        {
            if (await stream.MoveNext(cancellationToken).ConfigureAwait(false))
            {
                attempts.Answered();
                attempts.Progressed();
                return true;
            }

            failure = new RpcException(new Status(StatusCode.Unavailable, "the stream ended"));
        }
        catch (RpcException broken)
        {
            failure = broken;
        }

        await attempts.RecoverAsync(failure, cancellationToken).ConfigureAwait(false);
        return false;
    }
}
