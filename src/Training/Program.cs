using System.CommandLine;
using IgptCluster.Training.Commands;

var root = new RootCommand("Makes and trains ImageGPT checkpoints.") { InitCommand.Create(), ShapesCommand.Create(), PaletteCommand.Create(), new PretrainCommand(), new ProbeCommand(), new FinetuneCommand(), new EvalCommand() };
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(5) });
