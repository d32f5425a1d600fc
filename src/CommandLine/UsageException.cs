namespace IgptCluster.CommandLine;

/// <summary>Wrong usage that only a command finds, when it looks at several options together.</summary>
/// <param name="message">The rule, what was given, and the cure.</param>
public sealed class UsageException(string message) : Exception(message);
