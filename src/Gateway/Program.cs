using IgptCluster.Gateway;
using IgptCluster.Hosting.Settings;

return await new NodeCommand("igpt gateway", "A gateway of its own: answers clients, owns no devices.").RunAsync(args, (_, settings, cancellationToken) => GatewayApplication.RunAsync(settings, cancellationToken));
