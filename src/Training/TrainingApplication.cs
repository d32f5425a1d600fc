using System.CommandLine;
using IgptCluster.Training.Commands;

namespace IgptCluster.Training;

/// <summary>The command line <c>igpt-train</c>.</summary>
internal static class TrainingApplication
{
    // Training finishes its step and saves before it ends.
    static readonly TimeSpan Interruption = TimeSpan.FromMinutes(5);

    /// <summary>Runs a command.</summary>
    /// <param name="args">The command line.</param>
    /// <returns>0; 1 after an error that was told; 130 when interrupted.</returns>
    internal static Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("Makes and trains ImageGPT checkpoints.")
        {
            InitCommand.Create(), ShapesCommand.Create(), PaletteCommand.Create(), new PretrainCommand(), new ProbeCommand(), new FinetuneCommand(), new EvalCommand(), new ExportCommand(),
        };
        return root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = Interruption });
    }
}
