using IgptCluster.Model.Torch;
using IgptCluster.Training.Data;
using IgptCluster.Training.Optimization;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Training.Runs;

/// <summary>
/// Takes a network through a <see cref="TrainingPlan"/>, a step at a time. Step n depends on plan, data and the weights before it alone: batches,
/// augmentation and masks are functions of seed and step. A batch is computed in shards of a few images, each on one core, and their gradients
/// are added in order: more cores make it faster and change nothing. One thread; starts others.
/// </summary>
internal sealed class Trainer : IDisposable
{
    const int ShardImages = 2; // enough rows for efficient products, few enough that a small batch occupies several cores

    [ThreadStatic]
    static bool _isAlone;

    static readonly Scalar One = 1; // kept alive: see ImageGpt

    readonly int _threadsBefore = get_num_threads();
    readonly ImageGpt _network;
    readonly TrainingPlan _plan;
    readonly TokenDataset _data;
    readonly Func<Batch, Tensor> _loss;
    readonly AdamW _optimizer;
    readonly LearningRate _learningRate;
    readonly BatchOrder _order;
    readonly Augmentation _augmentation;

    /// <summary>Prepares the first step.</summary>
    /// <param name="network">The network to train; stays the caller's.</param>
    /// <param name="parameters">All weights to train; stay the caller's.</param>
    /// <param name="plan">The plan.</param>
    /// <param name="data">Training images.</param>
    /// <param name="loss">The loss of one batch, a scalar in the caller's scope.</param>
    internal Trainer(ImageGpt network, IReadOnlyList<(string Name, Tensor Value)> parameters, TrainingPlan plan, TokenDataset data, Func<Batch, Tensor> loss)
    {
        (_network, _plan, _data, _loss) = (network, plan, data, loss);
        _optimizer = new AdamW(parameters, plan.WeightDecay, plan.EmbeddingRate);
        _learningRate = new LearningRate(plan.LearningRate, plan.WarmupSteps, plan.Steps);
        _order = new BatchOrder(data.Count, plan.Seed);
        _augmentation = new Augmentation(plan.Flip, plan.CropPadding, plan.Seed);
    }

    /// <summary>Steps taken.</summary>
    internal long StepsTaken { get; private set; }

    /// <summary>Steps to take in all.</summary>
    internal long Steps => _plan.Steps;

    /// <summary>Master weights and state.</summary>
    internal AdamW Optimizer => _optimizer;

    /// <summary>Takes the next step.</summary>
    /// <exception cref="DataException">The loss is not finite: training has diverged; the weights are left as they were.</exception>
    internal StepReport Step()
    {
        using DisposeScope scope = NewDisposeScope();
        long step = StepsTaken + 1;
        Batch[] shards = [.. Shards(step)];
        var losses = new double[shards.Length];
        var gradients = new Tensor[shards.Length];
        Parallel.For(0, shards.Length, index => (losses[index], gradients[index]) = Compute(shards[index]));
        Tensor gradient = gradients[0];
        foreach (Tensor further in gradients[1..])
            gradient.add_(further, One);
        Array.ForEach(gradients, tensor => scope.Attach(tensor));

        double loss = losses.Sum();
        double rate = _learningRate.At(step);
        double norm = double.IsFinite(loss) ? _optimizer.Step(step, rate, gradient, _plan.MaxGradientNorm) : double.NaN;
        if (!double.IsFinite(norm))
            throw new DataException($"the loss of step {step} is {loss}, the norm of its gradients {norm}: training has diverged; lower --learning-rate ({_plan.LearningRate}) or raise --warmup ({_plan.WarmupSteps}) and resume from the last state");
        StepsTaken = step;
        return new StepReport(step, loss, rate, norm);
    }

    /// <summary>Continues behind a state that was saved.</summary>
    /// <param name="stepsTaken">Steps that had been taken.</param>
    internal void ContinueAfter(long stepsTaken)
    {
        StepsTaken = stepsTaken;
        _optimizer.Publish();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _optimizer.Dispose();
        set_num_threads(_threadsBefore);
        _isAlone = false;
    }

    IEnumerable<Batch> Shards(long step)
    {
        long first = (step - 1) * _plan.ImagesPerStep;
        for (int part = 0; part < _plan.Accumulation; part++, first += _plan.BatchSize)
        {
            for (int at = 0; at < _plan.BatchSize; at += ShardImages)
                yield return Load(first + at, Math.Min(ShardImages, _plan.BatchSize - at));
        }
    }

    Batch Load(long first, int count)
    {
        long[] tokens = new long[count * _data.Length];
        long[] labels = new long[count];
        for (int i = 0; i < count; i++)
        {
            int image = _order[first + i];
            _augmentation.Apply(_data[image], _data.Width, first + i, tokens.AsSpan(i * _data.Length, _data.Length));
            labels[i] = _data.Labels[image];
        }

        Tensor ids = tensor(tokens, [count, _data.Length], device: _network.Device);
        return new Batch(ids, tensor(labels, device: _network.Device), unchecked((_plan.Seed * 7919) + (int)(first % int.MaxValue)));
    }

    // Its part of the step's loss, and that loss' gradient, which is the caller's. Any thread.
    (double Loss, Tensor Gradient) Compute(Batch shard)
    {
        KeepToOneThread();
        using DisposeScope scope = NewDisposeScope();
        using Scalar share = (double)shard.Tokens.shape[0] / _plan.ImagesPerStep;
        Tensor loss = _loss(shard) * share;
        return (loss.item<float>(), _optimizer.Gradient(loss).DetachFromDisposeScope());
    }

    // libtorch's own threads would share the cores with the other shards; each thread has a number of its own.
    static void KeepToOneThread()
    {
        if (!_isAlone)
            set_num_threads(1);
        _isAlone = true;
    }
}

/// <summary>What one step did.</summary>
/// <param name="Step">Its number, from 1.</param>
/// <param name="Loss">Mean loss before it.</param>
/// <param name="LearningRate">Learning rate.</param>
/// <param name="GradientNorm">Norm of the gradients before clipping.</param>
internal readonly record struct StepReport(long Step, double Loss, double LearningRate, double GradientNorm);

/// <summary>Images of one forward pass.</summary>
/// <param name="Tokens">int64 [B, T].</param>
/// <param name="Labels">int64 [B], −1 without classes.</param>
/// <param name="Seed">For what is drawn at random in it.</param>
internal readonly record struct Batch(Tensor Tokens, Tensor Labels, int Seed);
