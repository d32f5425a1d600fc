using Grpc.Core;
using IgptCluster.Client.Gateways;
using IgptCluster.Client.Retries;
using IgptCluster.Client.Tests.Fakes;

namespace IgptCluster.Client.Tests;

/// <summary>When to give up.</summary>
public sealed class AttemptsTests : IDisposable
{
    readonly JumpingTime _time = new();
    readonly GatewayPool _gateways;

    public AttemptsTests() => _gateways = new GatewayPool(new IgptClientOptions { Addresses = [new Uri("http://a"), new Uri("http://b")], Time = _time });

    [Fact]
    public async Task Recover_StreamThatWasConnectedAndIdleForLong_GoesOn()
    {
        var attempts = new Attempts(_gateways, deadline: null);
        for (int i = 0; i < 10; i++)
        {
            attempts.Next();
            attempts.Answered();
            _time.Pass(TimeSpan.FromMinutes(10));
            await RecoverAsync(attempts);
        }
    }

    [Fact]
    public async Task Recover_CallsThatTakeLongToFail_CountInFull()
    {
        var attempts = new Attempts(_gateways, deadline: null);
        attempts.Next();
        await RecoverAsync(attempts);
        _time.Pass(TimeSpan.FromMinutes(2));
        await Assert.ThrowsAsync<RpcException>(() => RecoverAsync(attempts));
    }

    [Fact]
    public async Task Recover_Progress_StartsAnew()
    {
        var attempts = new Attempts(_gateways, deadline: null);
        for (int i = 0; i < 100; i++)
        {
            attempts.Next();
            await RecoverAsync(attempts);
            _time.Pass(TimeSpan.FromMinutes(1));
            attempts.Progressed();
        }

        Assert.All(_time.Waits, wait => Assert.InRange(wait, TimeSpan.Zero, TimeSpan.FromSeconds(0.1)));
    }

    [Fact]
    public async Task Recover_AnotherGatewayHasNotFailed_DoesNotWait()
    {
        var attempts = new Attempts(_gateways, deadline: null);
        attempts.Next();
        attempts.Answered();
        await RecoverAsync(attempts);
        Assert.Empty(_time.Waits);
        for (int i = 0; i < 3; i++)
        {
            attempts.Next();
            await RecoverAsync(attempts);
        }

        double[] longest = [0.1, 0.2, 0.4];
        Assert.Equal(longest.Length, _time.Waits.Count);
        Assert.All(_time.Waits.Zip(longest), wait => Assert.InRange(wait.First.TotalSeconds, wait.Second / 2, wait.Second));
    }

    [Fact]
    public async Task Recover_ManyStreamsOfOneGateway_MoveOnByOne()
    {
        Attempts[] streams = [.. Enumerable.Range(0, 5).Select(_ => new Attempts(_gateways, deadline: null))];
        Array.ForEach(streams, stream => stream.Next());
        await Task.WhenAll(streams.Select(RecoverAsync));
        Assert.Equal(1, _gateways.Turn);
    }

    public void Dispose() => _gateways.Dispose();

    static Task RecoverAsync(Attempts attempts) =>
        attempts.RecoverAsync(new RpcException(new Status(StatusCode.Unavailable, "gone", new IOException())), TestContext.Current.CancellationToken);
}
