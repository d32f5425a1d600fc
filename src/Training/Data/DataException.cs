namespace IgptCluster.Training.Data;

/// <summary>Data, a checkpoint or an option breaks a rule: the message names the file, the rule, the value and the cure.</summary>
internal sealed class DataException : Exception
{
    public DataException()
    {
    }

    public DataException(string message)
        : base(message)
    {
    }

    public DataException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
