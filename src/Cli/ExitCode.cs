namespace IgptCluster.Cli;

/// <summary>What the process's exit status means to scripts.</summary>
internal static class ExitCode
{
    internal const int Ok = 0;

    /// <summary>Anything unexpected.</summary>
    internal const int Unexpected = 1;

    /// <summary>Wrong usage, or input the server refuses.</summary>
    internal const int BadInput = 2;

    /// <summary>No such model, head or session.</summary>
    internal const int NotFound = 3;

    /// <summary>Cannot connect, overloaded, or out of time: trying again may help.</summary>
    internal const int Unavailable = 4;

    /// <summary>A generation failed, or its stream ended without saying how.</summary>
    internal const int Incomplete = 5;

    /// <summary>Ctrl+C.</summary>
    internal const int Interrupted = 130;
}
