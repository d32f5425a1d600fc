using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using IgptCluster.Contracts;
using IgptCluster.Model;
using IgptCluster.Silo;
using IgptCluster.Silo.Demo;
using Microsoft.Extensions.Options;

try
{
    // Signals are the host's: the command line's own handling would end the process after two seconds, in the midst of stopping.
    var invocation = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
    return await SiloCommand.Create(ServeAsync, DemoRun.RunAsync).Parse(args).InvokeAsync(invocation);
}
catch (OperationCanceledException)
{
    await Console.Error.WriteLineAsync("igpt silo: interrupted");
    return 130;
}
catch (Exception failure) when (failure is ValidationException or OptionsValidationException or CheckpointException or IgptException or InvalidOperationException or IOException or UnauthorizedAccessException)
{
    await Console.Error.WriteLineAsync($"igpt silo: {failure.Message}");
    return failure is ValidationException or OptionsValidationException or CheckpointException ? 2 : 1;
}

static async Task<int> ServeAsync(Dictionary<string, string?> settings, CancellationToken cancellationToken)
{
    await using SiloApplication silo = await SiloApplication.BuildAsync(settings);
    IReadOnlyList<string> models = await silo.WaitUntilReadyAsync(await silo.StartAsync(cancellationToken), cancellationToken);
    string where = silo.GrpcAddress is null ? "behind other gateways" : $"gRPC {silo.GrpcAddress} HTTP {silo.HttpAddress}";
    Console.WriteLine($"Ready: {where} models {(models.Count > 0 ? string.Join(", ", models) : "none")}");
    await silo.WaitForShutdownAsync();
    return 0;
}
