using System.Threading.Channels;

namespace IgptCluster.Engine.Requests;

/// <summary>A generation in flight, as its one reader sees it.</summary>
/// <param name="Id">The sequence.</param>
/// <param name="Tokens">
/// Its new tokens in order; ends with the generation, with an <see cref="EngineStoppedException"/> if the engine stops first. Holds a
/// whole image, so a slow reader never holds the engine up nor keeps the KV slot.
/// </param>
/// <param name="Completion">How it ended. Faults with <see cref="EngineStoppedException"/> if the engine stops first.</param>
public sealed record Generation(SequenceId Id, ChannelReader<GeneratedToken> Tokens, Task<GenerationResult> Completion);
