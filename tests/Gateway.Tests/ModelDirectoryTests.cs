using IgptCluster.Contracts;
using IgptCluster.Gateway.Models;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Tests;
using Microsoft.Extensions.DependencyInjection;

namespace IgptCluster.Gateway.Tests;

public sealed class ModelDirectoryTests
{
    [Fact]
    public async Task OfEachAsync_ModelThatIsUnloadedMeanwhile_IsLeftOut()
    {
        await using TestCluster cluster = await TestCluster.StartAsync(new FakeModel());
        await cluster.ReadyAsync("toy", 1);
        var models = new ModelDirectory(cluster.Grains, cluster.Silos.Silos[0].ServiceProvider.GetRequiredService<ClusterView>(), TimeProvider.System);
        Assert.Equal(models.Names, await models.OfEachAsync(Task.FromResult));
        Assert.Contains("toy", models.Names);
        Assert.Empty(await models.OfEachAsync<string>(name => throw new IgptException(IgptErrorCode.ModelNotFound, $"no model {name}")));
        IgptException failure = await Assert.ThrowsAsync<IgptException>(() => models.OfEachAsync<string>(_ => throw new IgptException(IgptErrorCode.NoReplica, "none")));
        Assert.Equal(IgptErrorCode.NoReplica, failure.Code);
    }
}
