using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.StoreSize;

Option<int> sessions = NumberOption.Create("--sessions", "Records of a parked session's size.", 200_000, 0, 100_000_000);
Option<int> heads = NumberOption.Create("--heads", "Records of a large head's size, 1 MiB.", 1024, 0, 1_000_000);
Option<int> bytes = NumberOption.Create("--session-bytes", "Size of a session's record.", 2900, 1, 1 << 20);
var folder = new Option<string?>("--folder") { Description = "Where the store's data goes, and stays. Default: a temporary folder." };
var root = new RootCommand("Fills an embedded store, kills it, starts it again, and compares every record. Exits with 1 if one is not what was acknowledged.") { sessions, heads, bytes, folder };
root.SetAction((parsed, cancellationToken) => new SizeProgram(parsed.GetValue(sessions), parsed.GetValue(heads), parsed.GetValue(bytes)).RunAsync(parsed.GetValue(folder), cancellationToken));
return await new CommandProgram("perf/StoreSize", root) { Grace = TimeSpan.FromSeconds(10) }.RunAsync(args);
