using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.Imaging;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Training.Commands;
using IgptCluster.Training.Data;

namespace IgptCluster.Training;

/// <summary>The command line <c>igpt-train</c>.</summary>
internal static class TrainingApplication
{
    // Training finishes its step and saves before it ends.
    static readonly TimeSpan Interruption = TimeSpan.FromMinutes(5);

    /// <summary>Runs a command.</summary>
    /// <param name="args">The command line.</param>
    /// <returns>0; 1 after an error that was told; 2 after wrong usage; 130 when interrupted.</returns>
    internal static Task<int> RunAsync(string[] args)
    {
        var root = new RootCommand("Makes and trains ImageGPT checkpoints.")
        {
            InitCommand.Create(), ShapesCommand.Create(), PaletteCommand.Create(), new PretrainCommand(), new ProbeCommand(), new FinetuneCommand(), new EvalCommand(), new DraftCommand(), new ExportCommand(),
        };
        return new CommandProgram("igpt-train", root) { Grace = Interruption, Explain = (failure, _) => Explain(failure) }.RunAsync(args);
    }

    static (int, string)? Explain(Exception failure) => failure is DataException or CheckpointException or ImagingException ? (CommandProgram.Failed, failure.Message) : null;
}
