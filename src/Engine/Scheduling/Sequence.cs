using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;

namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// One sequence in flight: its input tokens, how many of them its KV slot holds, and what comes out. There are no phases: a sequence is
/// scheduled until its computed tokens have caught up with its known ones. The engine's thread only.
/// </summary>
abstract class Sequence(SequenceId id, int priority, string client)
{
    internal SequenceId Id { get; } = id;

    internal int Priority { get; } = priority;

    /// <summary>Whose it is.</summary>
    internal string Client { get; } = client;

    /// <summary>What its client has been served; set by the scheduler.</summary>
    internal ClientShare? Share { get; set; }

    /// <summary>Tokens it will have computed in the end.</summary>
    internal abstract int Work { get; }

    /// <summary>Whether it was accepted elsewhere before: it is taken however long the queue is, and comes before what is new.</summary>
    internal virtual bool IsReadmission => false;

    /// <summary>Whether it can give its slot back and be computed again.</summary>
    internal virtual bool CanBePreempted => false;

    /// <summary>How many sequences came before it; set by the scheduler.</summary>
    internal long Arrival { get; set; }

    /// <summary>Where it stands; set by the scheduler.</summary>
    internal SequenceStatus Status { get; set; }

    /// <summary>Told when the sequence has ended, however it does.</summary>
    internal Action<SequenceId> Ended { get; set; } = _ => { };

    /// <summary>Its KV slot while it is running.</summary>
    internal int Slot { get; set; }

    /// <summary>Inputs whose keys and values the slot holds.</summary>
    internal int Computed { get; private protected set; }

    /// <summary>Input tokens known so far.</summary>
    internal abstract ReadOnlyMemory<int> Inputs { get; }

    /// <summary>Known inputs that are still to be computed.</summary>
    internal int Remaining => Inputs.Length - Computed;

    /// <summary>True once the known inputs of the request itself have been computed and it goes on token by token.</summary>
    internal abstract bool IsDecoding { get; }

    /// <summary>Leading inputs that may be taken from another slot instead of being computed.</summary>
    internal abstract int ShareableInputs { get; }

    /// <summary>True once there is nothing left to compute.</summary>
    internal abstract bool IsFinished { get; }

    /// <summary>What to compute next.</summary>
    /// <param name="tokens">Number of inputs, 1 … <see cref="Remaining"/>, or that and some of the guesses that <see cref="Guess"/> made.</param>
    internal abstract SequenceChunk NextChunk(int tokens);

    /// <summary>Forgets what was guessed.</summary>
    internal virtual void BeginGuesses()
    {
    }

    /// <summary>Guesses the token behind the known and guessed ones, for the next chunk to verify.</summary>
    /// <returns>How likely it is to be right if those before it are, 0 … 1; 0 where none can be guessed.</returns>
    internal virtual double Guess() => 0;

    /// <summary>The sequence has a slot.</summary>
    internal abstract void Start(TimeSpan now);

    /// <summary>Takes what the runner made of the last chunk: <see cref="Computed"/> grows by the chunk's tokens, without guesses that were wrong.</summary>
    /// <param name="tokens">Tokens of the chunk.</param>
    /// <param name="output">What the runner gave.</param>
    /// <param name="sampler">Draws colours.</param>
    /// <param name="now">The time.</param>
    /// <returns>False if it cannot be used, and the sequence has failed.</returns>
    internal abstract bool Take(int tokens, ChunkOutput output, Sampler sampler, TimeSpan now);

    /// <summary>It has given its slot back, and waits for another.</summary>
    internal virtual void Preempt() => Computed = 0;

    /// <summary>Skips inputs whose keys and values were copied into the slot.</summary>
    internal void SkipShared(int tokens) => Computed = tokens;

    internal abstract void Finish();

    internal abstract void Cancel();

    internal abstract void Stop(EngineStoppedException reason);

}
