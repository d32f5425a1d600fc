using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Store;

var folder = new Option<string>("--folder") { Description = "Data folder; made if it is missing. One store at a time serves it.", Required = true };
Option<int> port = NumberOption.Create("--port", "TCP port on loopback; 0 takes a free one.", 0, 0, 65_535);
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
return await new CommandProgram("igpt store", root) { Grace = TimeSpan.FromSeconds(20) }.RunAsync(args);
