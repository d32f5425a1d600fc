using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Parallel;

/// <summary>Draws pictures from nothing, without guesses.</summary>
/// <param name="createRunner">Loads the model with so many KV slots.</param>
internal sealed class PictureMaker(Func<int, IModelRunner> createRunner)
{
    /// <summary>Seed of the pictures that are guessed.</summary>
    internal const ulong Seed = 5;

    const int Slots = 64;

    /// <summary>Some pictures, each a sample of one seed.</summary>
    internal async Task<int[][]> MakeAsync(int count, double temperature, ulong seed)
    {
        await using var loop = new EngineLoop(new EngineOptions { MaxWaiting = count, MaxWaitingTokens = int.MaxValue }, () => createRunner(Math.Min(count, Slots)), TimeProvider.System, NullLogger.Instance);
        await loop.StartAsync();
        Generation[] streams = [.. Enumerable.Range(0, count).Select(index => loop.Submit(new GenerationRequest
        {
            Id = new SequenceId($"{index}"),
            Prompt = ReadOnlyMemory<int>.Empty,
            MaxNewTokens = loop.Shape.PositionCount,
            Sampling = new SamplingParameters { Temperature = temperature, Seed = seed, Sample = (uint)index },
        }))];
        int[][] pictures = new int[count][];
        for (int index = 0; index < count; index++)
            pictures[index] = await streams[index].Tokens.ReadAllAsync().Select(token => token.Token).ToArrayAsync();
        return pictures;
    }
}
