using System.Runtime.InteropServices;
using System.Text;
using IgptCluster.Training.Data;
using IgptCluster.Training.Optimization;
using static TorchSharp.torch;

namespace IgptCluster.Training.Runs;

/// <summary>
/// What a training needs to go on, in <c>training/</c> of the folder it writes: the plan as plan.json and master weights and optimiser state as
/// state.bin, replaced at once, so that a crash while saving leaves the state before.
/// </summary>
/// <param name="folder">The folder that the training writes.</param>
internal sealed class TrainingFolder(string folder)
{
    static readonly byte[] Magic = "igpt-training-1\n"u8.ToArray();

    readonly string _plan = Path.Combine(folder, "training", "plan.json");
    readonly string _state = Path.Combine(folder, "training", "state.bin");

    /// <summary>Whether there is a state to resume from.</summary>
    internal bool HasState => File.Exists(_state) && File.Exists(_plan);

    /// <summary>Keeps other processes from training into the folder until it is disposed.</summary>
    /// <exception cref="DataException">Another process does.</exception>
    internal FileStream Lock()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_plan)!);
        try
        {
            return new FileStream(Path.Combine(folder, "training", "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException busy)
        {
            throw new DataException($"{folder}: another igpt-train is training into this folder: wait for it, stop it, or name another folder", busy);
        }
    }

    /// <summary>Writes the plan, the first or one with another number of steps.</summary>
    internal void Begin(TrainingPlan plan)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_plan)!);
        File.WriteAllText(_plan, plan.ToJson() + "\n");
    }

    /// <summary>Requires that the training goes on as it began. Its number of steps alone may change: the learning rate then follows the new one's curve.</summary>
    /// <exception cref="DataException">There is no state, or the plan differs.</exception>
    internal void RequireSame(TrainingPlan plan)
    {
        if (!HasState)
            throw new DataException($"{folder}: there is no training to resume (training/plan.json and training/state.bin): leave out --resume to begin one");
        string[] differences = [.. (TrainingPlan.FromJson(File.ReadAllText(_plan)) with { Steps = plan.Steps }).DifferencesTo(plan)];
        if (differences.Length > 0)
            throw new DataException($"{_plan}: a training is resumed with the options it began with, but for --steps; they differ (began, given): {string.Join("; ", differences)}");
    }

    /// <summary>Writes the state.</summary>
    internal void Save(Trainer trainer)
    {
        string temporary = _state + ".tmp";
        using (var file = new FileStream(temporary, FileMode.Create))
        using (var writer = new BinaryWriter(file))
        {
            writer.Write(Magic);
            writer.Write(trainer.StepsTaken);
            foreach (Tensor vector in Vectors(trainer.Optimizer))
            {
                writer.Write(vector.NumberOfElements);
                writer.Write(vector.bytes);
            }

            writer.Flush();
            file.Flush(flushToDisk: true);
        }

        File.Move(temporary, _state, overwrite: true);
    }

    /// <summary>Reads the state into a trainer of the same network.</summary>
    /// <exception cref="DataException">The file is damaged, or of another network.</exception>
    internal void Restore(Trainer trainer)
    {
        using var reader = new BinaryReader(File.OpenRead(_state));
        try
        {
            if (!reader.ReadBytes(Magic.Length).AsSpan().SequenceEqual(Magic))
                throw new DataException($"{_state}: must begin with \"{Encoding.ASCII.GetString(Magic).TrimEnd()}\": it is not a state of this program");
            long steps = reader.ReadInt64();
            foreach (Tensor vector in Vectors(trainer.Optimizer))
            {
                long count = reader.ReadInt64();
                if (count != vector.NumberOfElements)
                    throw new DataException($"{_state}: holds {count:N0} weights, the network has {vector.NumberOfElements:N0}: resume with the same sizes");
                byte[] bytes = reader.ReadBytes(checked((int)(count * sizeof(float))));
                if (bytes.Length < count * sizeof(float))
                    throw new EndOfStreamException();
                MemoryMarshal.Cast<byte, float>(bytes).CopyTo(MemoryMarshal.Cast<byte, float>(vector.bytes));
            }

            if (steps > trainer.Steps)
                throw new DataException($"{folder}: {steps:N0} steps are taken already; --steps must be at least as many; given {trainer.Steps:N0}");
            trainer.ContinueAfter(steps);
        }
        catch (EndOfStreamException end)
        {
            throw new DataException($"{_state}: is cut short: begin anew in another folder", end);
        }
    }

    static Tensor[] Vectors(AdamW optimizer) => [optimizer.Weights, optimizer.Mean, optimizer.Square];
}
