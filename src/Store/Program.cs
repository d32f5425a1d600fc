using System.CommandLine;
using IgptCluster.Store;

var folder = new Option<string>("--folder") { Description = "Data folder; made if it is missing. One store at a time serves it.", Required = true };
var port = new Option<int>("--port") { Description = "TCP port on loopback; 0 takes a free one.", DefaultValueFactory = _ => 0 };
var detach = new Option<bool>("--detach") { Description = "Leaves the terminal's session: an interrupt meant for the process that started it does not stop it." };
var root = new RootCommand("Serves a data folder by the Redis protocol on loopback, with a password that lies in the folder: the cluster's embedded store.") { folder, port, detach };
root.SetAction((parsed, cancellationToken) =>
{
    if (parsed.GetValue(detach))
    {
        StoreProgram.Detach();
    }

    return StoreProgram.RunAsync(parsed.GetRequiredValue(folder), parsed.GetValue(port), cancellationToken);
});
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromSeconds(20) });
