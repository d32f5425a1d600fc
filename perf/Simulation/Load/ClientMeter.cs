namespace IgptCluster.Simulation.Load;

/// <summary>What one client of the simulation saw. Any thread.</summary>
internal sealed class ClientMeter
{
    long _asked;
    long _refused;
    long _finished;
    long _failed;
    long _tokens;
    long _classified;

    internal Histogram FirstTokens { get; } = new();

    internal Histogram Gaps { get; } = new();

    internal Histogram Classifications { get; } = new();

    internal ClientCounts Counts => new(
        Interlocked.Read(ref _asked), Interlocked.Read(ref _refused), Interlocked.Read(ref _finished), Interlocked.Read(ref _failed), Interlocked.Read(ref _tokens), Interlocked.Read(ref _classified));

    internal void Ask() => Interlocked.Increment(ref _asked);

    internal void Refuse() => Interlocked.Increment(ref _refused);

    internal void Finish() => Interlocked.Increment(ref _finished);

    internal void Fail() => Interlocked.Increment(ref _failed);

    internal void Take(int tokens) => Interlocked.Add(ref _tokens, tokens);

    internal void Classify(TimeSpan taken)
    {
        Classifications.Add(taken);
        Interlocked.Increment(ref _classified);
    }
}
