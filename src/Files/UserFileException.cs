namespace IgptCluster.Files;

/// <summary>A file that a user named cannot be read as one. The message begins with its path.</summary>
public sealed class UserFileException : IOException
{
    /// <summary>A violation without further words.</summary>
    public UserFileException()
    {
    }

    /// <summary>A violation.</summary>
    /// <param name="message">Path, rule and value.</param>
    public UserFileException(string message)
        : base(message)
    {
    }

    /// <summary>A violation that the system reported.</summary>
    /// <param name="message">Path, rule and value.</param>
    /// <param name="innerException">What the system said.</param>
    public UserFileException(string message, Exception innerException)
        : base(message, innerException)
    {
    }

    /// <summary>A violation of one file.</summary>
    /// <param name="path">The file.</param>
    /// <param name="rule">What it breaks.</param>
    /// <param name="innerException">What the system said; null: nothing.</param>
    internal UserFileException(string path, string rule, Exception? innerException)
        : base($"{path}: {rule}", innerException) => Rule = rule;

    /// <summary>Whether it is a pipe: its reader may take standard input instead.</summary>
    public bool IsPipe { get; internal init; }

    /// <summary>The message without the path, for those who name the file in another way.</summary>
    public string Rule { get; } = "";
}
