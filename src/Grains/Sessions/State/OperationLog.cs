namespace IgptCluster.Grains.Sessions.State;

/// <summary>The ids of a session's latest operations: one that comes again changes nothing.</summary>
/// <param name="operations">Those that are stored, oldest first.</param>
internal sealed class OperationLog(IEnumerable<string> operations)
{
    const int Kept = 32;

    readonly List<string> _operations = [.. operations];

    /// <summary>Whether an operation has been carried out; an empty id never has.</summary>
    /// <param name="operation">Its id.</param>
    internal bool Has(string operation) => operation.Length > 0 && _operations.Contains(operation);

    /// <summary>Notes an operation.</summary>
    /// <param name="operation">Its id; empty: there is nothing to note.</param>
    /// <returns>False if it has been carried out before.</returns>
    internal bool TryNote(string operation)
    {
        if (Has(operation))
        {
            return false;
        }

        if (operation.Length > 0)
        {
            _operations.Add(operation);
            _operations.RemoveRange(0, Math.Max(0, _operations.Count - Kept));
        }

        return true;
    }

    /// <summary>All that are kept, oldest first.</summary>
    internal string[] ToArray() => [.. _operations];
}
