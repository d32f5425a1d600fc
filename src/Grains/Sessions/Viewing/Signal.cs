namespace IgptCluster.Grains.Sessions.Viewing;

/// <summary>Wakes all who wait for a session's news. One grain's turns only.</summary>
internal sealed class Signal
{
    TaskCompletionSource _given = New();

    /// <summary>Completes when it is given next.</summary>
    internal Task Next => _given.Task;

    /// <summary>Wakes all who wait.</summary>
    internal void Give()
    {
        TaskCompletionSource given = _given;
        _given = New();
        given.SetResult();
    }

    static TaskCompletionSource New() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
