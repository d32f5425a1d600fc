using System.CommandLine;
using System.CommandLine.Invocation;

namespace IgptCluster.CommandLine;

/// <summary><c>--version</c>.</summary>
/// <param name="name">The program's name.</param>
sealed class VersionAction(string name) : SynchronousCommandLineAction
{
    /// <inheritdoc/>
    public override bool ClearsParseErrors => true;

    /// <inheritdoc/>
    public override int Invoke(ParseResult parseResult)
    {
        parseResult.InvocationConfiguration.Output.WriteLine($"{name} {ProductVersion.Text}");
        return CommandProgram.Done;
    }
}
