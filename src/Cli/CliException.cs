namespace IgptCluster.Cli;

/// <summary>A failure that the command line explains itself.</summary>
/// <param name="exitCode">One of <see cref="Cli.ExitCode"/>.</param>
/// <param name="message">What, and the cure.</param>
internal sealed class CliException(int exitCode, string message) : Exception(message)
{
    /// <summary>The process's exit status.</summary>
    internal int ExitCode { get; } = exitCode;
}
