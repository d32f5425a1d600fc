using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Store;

var folder = new Option<string>("--folder") { Description = "Data folder; made if it is missing. One store at a time serves it.", Required = true };
Option<int?> port = NumberOption.CreateOptional("--port", "TCP port on loopback beside the folder's Unix socket; 0 takes a free one. Default: none.", 0, 65_535);
Option<int> memory = NumberOption.Create("--memory", "Memory for records, MB; the process takes some 300 MB beside it.", 128, 16, 1 << 20);
Option<int> disk = NumberOption.Create("--max-disk", "Disk that the folder may take, MB. New records are refused before that.", 16_384, 256, 1 << 30);
Option<int> interval = NumberOption.Create("--checkpoint-seconds", "Seconds between checkpoints, which make what the append-only file has needless.", 60, 1, 3600);
var loss = new Option<bool>("--accept-loss") { Description = "Sets the data that is there aside, in a folder within the data folder, and starts empty. Deletes nothing." };
var detach = new Option<bool>("--detach") { Description = "Leaves the terminal's session: an interrupt meant for the process that started it does not stop it." };
var root = new RootCommand("Serves a data folder by the Redis protocol on a Unix socket, with a password that lies in the folder: the cluster's embedded store.") { folder, port, memory, disk, interval, loss, detach };
root.SetAction((parsed, cancellationToken) =>
{
    if (parsed.GetValue(detach))
    {
        StoreProgram.Detach();
    }

    var settings = new StoreSettings(parsed.GetValue(port), parsed.GetValue(memory), (long)parsed.GetValue(disk) << 20, TimeSpan.FromSeconds(parsed.GetValue(interval)));
    return StoreProgram.RunAsync(parsed.GetRequiredValue(folder), settings, parsed.GetValue(loss), cancellationToken);
});
return await new CommandProgram("igpt store", root) { Grace = TimeSpan.FromSeconds(20) }.RunAsync(args);
