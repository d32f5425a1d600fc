using System.Net;
using System.Net.Sockets;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace IgptCluster.Hosting.Presence;

/// <summary>
/// Declares members dead as soon as their process is gone: the connection to their <see cref="PresenceListener"/> ends and the system refuses another one. Orleans' probes take more than a
/// second to see that, in which calls to what the member held, rows of the grain directory included, wait. A process that is frozen, or a network that is cut, refuses nothing: probes see
/// to those. Each member watches a few others, the next ones in the order of their addresses, so that each is watched by as many.
/// </summary>
/// <param name="listener">This member's own port; held for as long as the process.</param>
/// <param name="membership">The members.</param>
/// <param name="endpointOf">Where a member's port is; null while that is not known.</param>
/// <param name="silo">This member.</param>
/// <param name="time">Clock.</param>
/// <param name="logger">Log.</param>
internal sealed partial class PresenceWatch(
    PresenceListener listener, IClusterMembershipService membership, Func<SiloAddress, IPEndPoint?> endpointOf, ILocalSiloDetails silo, TimeProvider time, ILogger<PresenceWatch> logger) : BackgroundService
{
    const int MostWatched = 3;
    const int Refusals = 3; // in a row

    static readonly TimeSpan RefusalInterval = TimeSpan.FromMilliseconds(30);
    static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(2);
    static readonly TimeSpan Retry = TimeSpan.FromMilliseconds(500);

    readonly Dictionary<SiloAddress, CancellationTokenSource> _watched = [];
    int _held;

    /// <summary>Members to whose ports there is a connection.</summary>
    internal int Held => Volatile.Read(ref _held);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        LogListening(listener.Port);
        try
        {
            await foreach (ClusterMembershipSnapshot members in membership.MembershipUpdates.WithCancellation(stoppingToken))
            {
                Watch(Next(members), stoppingToken);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The process stops.
        }
        finally
        {
            Watch([], stoppingToken);
        }
    }

    /// <summary>The members to watch.</summary>
    SiloAddress[] Next(ClusterMembershipSnapshot members)
    {
        SiloAddress[] others = [.. members.Members.Values.Where(member => member.Status == SiloStatus.Active && !member.SiloAddress.Equals(silo.SiloAddress)).Select(member => member.SiloAddress).Order()];
        return [.. others.Where(other => other.CompareTo(silo.SiloAddress) > 0).Concat(others.Where(other => other.CompareTo(silo.SiloAddress) < 0)).Take(MostWatched)];
    }

    void Watch(SiloAddress[] wanted, CancellationToken stoppingToken)
    {
        foreach (SiloAddress gone in _watched.Keys.Except(wanted).ToArray())
        {
            _watched.Remove(gone, out CancellationTokenSource? watch);
            watch!.Cancel();
            watch.Dispose();
        }

        foreach (SiloAddress member in wanted.Where(member => !_watched.ContainsKey(member)))
        {
            var watch = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
            _watched[member] = watch;
            WatchAsync(member, watch.Token).Ignore();
        }
    }

    async Task WatchAsync(SiloAddress member, CancellationToken cancellationToken)
    {
        while (true)
        {
            if (endpointOf(member) is { } endpoint && await HoldAsync(endpoint, cancellationToken) && await IsRefusedAsync(endpoint, cancellationToken))
            {
                LogGone(member);
                await membership.TryKill(member);
                return;
            }

            await Task.Delay(Retry, time, cancellationToken);
        }
    }

    /// <summary>Holds a connection until the other side ends it.</summary>
    /// <returns>False if there was none: who has never been reached is not missed.</returns>
    async Task<bool> HoldAsync(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        if (await TryConnectAsync(socket, endpoint, cancellationToken) is not null)
        {
            return false;
        }

        try
        {
            Interlocked.Increment(ref _held);
            await socket.ReceiveAsync(new byte[1], SocketFlags.None, cancellationToken);
        }
        catch (SocketException)
        {
            // It was reset.
        }
        finally
        {
            Interlocked.Decrement(ref _held);
        }

        return true;
    }

    /// <summary>Whether nobody listens there any more: only the system of a machine that is up says so.</summary>
    async Task<bool> IsRefusedAsync(IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        for (int refusals = 0; refusals < Refusals; refusals++)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            if (await TryConnectAsync(socket, endpoint, cancellationToken) != SocketError.ConnectionRefused)
            {
                return false;
            }

            await Task.Delay(RefusalInterval, time, cancellationToken);
        }

        return true;
    }

    /// <summary>Why a connection does not come about; null if it does.</summary>
    async Task<SocketError?> TryConnectAsync(Socket socket, IPEndPoint endpoint, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectLimit, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await socket.ConnectAsync(endpoint, either.Token);
            return null;
        }
        catch (SocketException failure)
        {
            return failure.SocketErrorCode;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return SocketError.TimedOut;
        }
    }

    [LoggerMessage(4011, LogLevel.Debug, "Other members see by port {Port} whether this process is there")]
    partial void LogListening(int port);

    [LoggerMessage(4012, LogLevel.Warning, "Member {Member} is gone: its process has ended, and is declared dead")]
    partial void LogGone(SiloAddress member);
}
