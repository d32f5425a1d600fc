using IgptCluster.Silo;
using IgptCluster.Silo.Demo;

return await SiloCommand.RunAsync(args, ServeAsync, DemoRun.RunAsync);

static async Task<int> ServeAsync(Dictionary<string, string?> settings, CancellationToken cancellationToken)
{
    await using SiloApplication silo = await SiloApplication.BuildAsync(settings);
    IReadOnlyList<string> models = await silo.WaitUntilReadyAsync(await silo.StartAsync(cancellationToken), cancellationToken);
    string where = silo.GrpcAddress is null ? "behind other gateways" : $"gRPC {silo.GrpcAddress} HTTP {silo.HttpAddress}";
    Console.WriteLine($"Ready: {where} models {(models.Count > 0 ? string.Join(", ", models) : "none")}");
    await silo.WaitForShutdownAsync();
    return 0;
}
