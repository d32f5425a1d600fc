namespace IgptCluster.EndToEnd.Tests.Studio;

/// <summary>Studio while processes of the cluster are killed.</summary>
public sealed class StudioRecoveryTests(StudioBrowser browser) : IClassFixture<StudioBrowser>
{
    const int Pixels = 1024;

    [Fact]
    public async Task Kill9_OfSiloAndGateway_PictureGoesOnAndSaysSo()
    {
        await using ClusterProcesses cluster = await ClusterProcesses.StartAsync(silos: 1, gateways: 1);
        await using StudioPage studio = await browser.OpenAsync(cluster.Gateways[0].HttpAddress!);

        // More samples than slots: some wait when the silo dies.
        await studio.PaintAsync(samples: 6);
        cluster.Silos[0].Signal("KILL");
        await cluster.AddSiloAsync();
        await studio.FinishAsync();
        await studio.Page.WaitForFunctionAsync("() => { const all = [...document.querySelectorAll('.branches .caption')]; return all.length === 6 && all.every(one => one.textContent.startsWith('Sample')); }");
        Assert.Equal($"{Pixels}", await studio.Page.Locator(".studio").GetAttributeAsync("data-made"));
        string picture = await studio.PictureAsync();
        string session = studio.Session;

        await studio.GoAsync("#/cluster");
        await studio.Page.Locator(".card").First.WaitForAsync();
        ServerProcess gateway = cluster.Gateways[0];
        gateway.Signal("KILL");
        await studio.Page.GetByText("The gateway does not answer").WaitForAsync();
        await cluster.RestartGatewayAsync(gateway);
        await studio.Page.GetByText("Connected again").First.WaitForAsync();
        await studio.GoAsync($"#/s/{session}");
        await studio.Page.ReloadAsync();
        await studio.FinishAsync();
        await studio.UntilPictureAsync(picture);
        studio.RequireNoComplaints();
    }
}
