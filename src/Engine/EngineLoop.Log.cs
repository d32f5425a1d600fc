using Microsoft.Extensions.Logging;

namespace IgptCluster.Engine;

public sealed partial class EngineLoop
{
    [LoggerMessage(101, LogLevel.Information, "Engine started with {Slots} KV slots and {MaxBatchTokens} tokens per step")]
    partial void LogStarted(int slots, int maxBatchTokens);

    [LoggerMessage(102, LogLevel.Information, "Engine stopped")]
    partial void LogStopped();

    [LoggerMessage(104, LogLevel.Critical, "Engine failed: a step has taken {Seconds:0} s and has not ended. Its thread is given up, and holds its memory until the step ends")]
    partial void LogHung(double seconds);

    [LoggerMessage(103, LogLevel.Critical, "Engine failed: nothing it holds can be trusted")]
    partial void LogFault(Exception failure);
}
