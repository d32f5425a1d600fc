using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;

namespace IgptCluster.Gateway.Tests;

public sealed class PassingTests
{
    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task OutlastAsync_MemberWasLost_AsksAgainUntilItIsAnswered()
    {
        int asked = 0;
        Assert.Equal(3, await Passing.OutlastAsync(() => ++asked < 3 ? throw new SiloUnavailableException("gone") : Task.FromResult(asked), TimeProvider.System, Cancelled));
    }

    [Fact]
    public async Task OutlastAsync_FailureThatStays_IsToldAtOnce()
    {
        int asked = 0;
        Task<int> Ask()
        {
            asked++;
            throw new IgptException(IgptErrorCode.SessionNotFound, "none");
        }

        await Assert.ThrowsAsync<IgptException>(() => Passing.OutlastAsync(Ask, TimeProvider.System, Cancelled));
        Assert.Equal(1, asked);
    }
}
