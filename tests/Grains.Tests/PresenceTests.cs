using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using IgptCluster.Hosting.Presence;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Grains.Tests;

/// <summary>Who is declared dead before Orleans' probes say so, and who is not.</summary>
public sealed class PresenceTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Watch_ProcessEnds_DeclaresItDeadAndNobodyElse()
    {
        using var first = PresenceListener.Open(IPAddress.Loopback);
        using var second = PresenceListener.Open(IPAddress.Loopback);
        await using var cluster = await Members.StartAsync(first.Port, second.Port);
        await Members.UntilAsync("both are watched", () => cluster.Watched == 2);
        first.Dispose();
        await Members.UntilAsync("the one that ended is dead", () => cluster.Killed.Contains(cluster.Addresses[0]));
        Assert.DoesNotContain(cluster.Addresses[1], cluster.Killed);
    }

    [Fact]
    public async Task Watch_ConnectionEndsAndThePortStillListens_DeclaresNobodyDead()
    {
        using var port = new TcpListener(IPAddress.Loopback, 0);
        port.Start();
        await using var cluster = await Members.StartAsync(((IPEndPoint)port.LocalEndpoint).Port);
        for (int connection = 0; connection < 4; connection++)
        {
            // As a process that closes what says nothing would.
            (await port.AcceptSocketAsync(Cancelled)).Dispose();
        }

        Assert.Empty(cluster.Killed);
    }

    [Fact]
    public async Task Watch_NeverReached_DeclaresNobodyDead()
    {
        int closed;
        using (var port = PresenceListener.Open(IPAddress.Loopback))
        {
            closed = port.Port;
        }

        using var other = PresenceListener.Open(IPAddress.Loopback);
        await using var cluster = await Members.StartAsync(closed, other.Port);
        await Members.UntilAsync("the other is watched", () => cluster.Watched == 1);
        other.Dispose();
        await Members.UntilAsync("the other is dead", () => cluster.Killed.Contains(cluster.Addresses[1]));
        Assert.DoesNotContain(cluster.Addresses[0], cluster.Killed);
    }

    [Fact]
    public async Task Watch_MemberThatLeaves_IsNotDeclaredDead()
    {
        using var leaving = PresenceListener.Open(IPAddress.Loopback);
        using var staying = PresenceListener.Open(IPAddress.Loopback);
        await using var cluster = await Members.StartAsync(leaving.Port, staying.Port);
        await Members.UntilAsync("both are watched", () => cluster.Watched == 2);
        cluster.Tell(SiloStatus.ShuttingDown, SiloStatus.Active);
        await Members.UntilAsync("it is watched no more", () => leaving.Connections == 0);
        leaving.Dispose();
        staying.Dispose();
        await Members.UntilAsync("the other is dead", () => cluster.Killed.Contains(cluster.Addresses[1]));
        Assert.DoesNotContain(cluster.Addresses[0], cluster.Killed);
    }

    /// <summary>A membership that says what it is told, and its watch.</summary>
    sealed class Members : IClusterMembershipService, ILocalSiloDetails, IAsyncDisposable
    {
        static readonly TimeSpan Limit = TimeSpan.FromSeconds(90);

        readonly Channel<ClusterMembershipSnapshot> _updates = Channel.CreateUnbounded<ClusterMembershipSnapshot>();
        readonly PresenceListener _own = PresenceListener.Open(IPAddress.Loopback);
        PresenceWatch? _watch;
        long _version;

        public SiloAddress[] Addresses { get; private set; } = [];

        public ConcurrentBag<SiloAddress> Killed { get; } = [];

        /// <summary>Members whose port has been reached.</summary>
        public int Watched => _watch!.Held;

        public string Name => "own";

        public string ClusterId => "test";

        public string DnsHostName => "localhost";

        public SiloAddress SiloAddress { get; } = SiloAddress.New(IPAddress.Loopback, 1, 1);

        public SiloAddress GatewayAddress => SiloAddress;

        public ClusterMembershipSnapshot CurrentSnapshot => throw new NotSupportedException();

        public IAsyncEnumerable<ClusterMembershipSnapshot> MembershipUpdates => _updates.Reader.ReadAllAsync();

        public static async Task<Members> StartAsync(params int[] ports)
        {
            var members = new Members { Addresses = [.. ports.Select((_, i) => SiloAddress.New(IPAddress.Loopback, 100 + i, 1))] };
            var endpoints = members.Addresses.Zip(ports).ToDictionary(member => member.First, member => new IPEndPoint(IPAddress.Loopback, member.Second));
            members._watch = new PresenceWatch(members._own, members, endpoints.GetValueOrDefault, members, TimeProvider.System, NullLogger<PresenceWatch>.Instance);
            await members._watch.StartAsync(Cancelled);
            members.Tell([.. ports.Select(_ => SiloStatus.Active)]);
            return members;
        }

        public void Tell(params SiloStatus[] statuses)
        {
            ImmutableDictionary<SiloAddress, ClusterMember> all = Addresses.Zip(statuses, (address, status) => new ClusterMember(address, status, $"{address}"))
                .Append(new ClusterMember(SiloAddress, SiloStatus.Active, Name)).ToImmutableDictionary(member => member.SiloAddress);
            _updates.Writer.TryWrite(new ClusterMembershipSnapshot(all, new MembershipVersion(++_version)));
        }

        public static async Task UntilAsync(string what, Func<bool> condition)
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            limit.CancelAfter(Limit);
            using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
            while (!condition())
            {
                try
                {
                    await tick.WaitForNextTickAsync(limit.Token);
                }
                catch (OperationCanceledException) when (!Cancelled.IsCancellationRequested)
                {
                    Assert.Fail($"not within {Limit.TotalSeconds} seconds: {what}");
                }
            }
        }

        public ValueTask Refresh(MembershipVersion minimumVersion = default, CancellationToken cancellationToken = default) => default;

        public Task<bool> TryKill(SiloAddress siloAddress)
        {
            Killed.Add(siloAddress);
            return Task.FromResult(true);
        }

        public async ValueTask DisposeAsync()
        {
            await _watch!.StopAsync(CancellationToken.None);
            _watch.Dispose();
            _own.Dispose();
        }
    }
}
