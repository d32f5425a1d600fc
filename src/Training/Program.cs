using System.CommandLine;
using IgptCluster.Training;

var root = new RootCommand("Makes and trains ImageGPT checkpoints.") { InitCommand.Create() };
return await root.Parse(args).InvokeAsync();
