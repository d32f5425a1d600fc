using IgptCluster.Model.Torch;
using TorchSharp;
using static TorchSharp.torch;

namespace IgptCluster.Model.Training;

/// <summary>
/// Causal attention of dense bfloat16 rows on the CPU with a backward pass, for training: softmax(q kᵀ / √D) v. The products are libtorch's, block
/// of queries by block, so that keys of the future cost nothing; what lies between them, softmax and its derivative, runs in float32 here: libtorch's
/// own take most of the time of a training step (docs/training.md has the figures). Keeps the probabilities from forward to backward. Any thread.
/// </summary>
internal sealed class CausalAttention : autograd.SingleTensorFunction<CausalAttention>
{
    const string State = "state";
    const int BlockRows = 128;

    /// <inheritdoc/>
    public override string Name => nameof(CausalAttention);

    /// <summary>Whether this machine and these tensors are what it is made for.</summary>
    internal static bool Fits(Tensor query, Tensor key) => BFloat16.IsTrained(query) && query.shape[2] == key.shape[2];

    /// <summary>Queries, keys, values [B, H, T, D] to mixed values [B, H, T, D].</summary>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        using DisposeScope scope = NewDisposeScope();
        long[] shape = ((Tensor)vars[0]).shape;
        (long length, long size) = (shape[2], shape[3]);
        Tensor[] inputs = [.. vars.Cast<Tensor>().Select(tensor => tensor.contiguous().view(-1, length, size))]; // 3 × [B · H, T, D]
        var kept = new List<Tensor>(); // [B · H, rows, seen keys] for each block of queries
        var mixed = new List<Tensor>();
        float scale = (float)(1 / Math.Sqrt(size));
        float[] wide = new float[length];
        for (long first = 0; first < length; first += BlockRows)
        {
            long rows = Math.Min(BlockRows, length - first);
            long seen = first + rows;
            Tensor scores = bmm(inputs[0].narrow(1, first, rows), inputs[1].narrow(1, 0, seen).transpose(1, 2));
            ForEachRow(scores, null, (row, _, number) => SoftmaxRow.Forward(row, (int)(first + number) + 1, scale, wide));
            mixed.Add(bmm(scores, inputs[2].narrow(1, 0, seen)));
            kept.Add(scores.DetachFromDisposeScope());
        }

        Array.ForEach(inputs, tensor => tensor.DetachFromDisposeScope());
        ctx.save_data(State, new Kept(inputs, kept));
        return cat([.. mixed], 1).view(shape).MoveToOuterDisposeScope();
    }

    /// <summary>The gradients of queries, keys and values from that of the mixed values.</summary>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradOutput)
    {
        using DisposeScope scope = NewDisposeScope();
        (Tensor[] inputs, List<Tensor> kept) = (Kept)ctx.get_data(State);
        (long length, long size) = (inputs[0].shape[1], inputs[0].shape[2]);
        Tensor gradient = gradOutput.contiguous().view(-1, length, size);
        var query = new List<Tensor>();
        Tensor key = zeros(inputs[1].shape); // summed over blocks in float32
        Tensor value = zeros(inputs[2].shape);
        float scale = (float)(1 / Math.Sqrt(size));
        long first = 0;
        foreach (Tensor probabilities in kept)
        {
            using DisposeScope block = NewDisposeScope();
            (long rows, long seen) = (probabilities.shape[1], probabilities.shape[2]);
            Tensor incoming = gradient.narrow(1, first, rows);
            value.narrow(1, 0, seen).add_(bmm(probabilities.transpose(1, 2), incoming), ImageGpt.One);
            Tensor scores = bmm(incoming, inputs[2].narrow(1, 0, seen).transpose(1, 2)); // of probabilities, then of scores
            ForEachRow(scores, probabilities, (row, shares, _) => SoftmaxRow.Backward(row, shares, scale));
            query.Add(bmm(scores, inputs[1].narrow(1, 0, seen)).MoveToOuterDisposeScope());
            key.narrow(1, 0, seen).add_(bmm(scores.transpose(1, 2), inputs[0].narrow(1, first, rows)), ImageGpt.One);
            first += rows;
            probabilities.Dispose();
        }

        Array.ForEach(inputs, tensor => tensor.Dispose());
        long[] shape = gradOutput.shape;
        return [.. new[] { cat([.. query], 1), key, value }.Select(tensor => tensor.to_type(ScalarType.BFloat16).view(shape).MoveToOuterDisposeScope())];
    }

    // TorchSharp asks for save_for_backward where it is given tensors, but that reads them only once the scope of forward has closed.
    sealed record Kept(Tensor[] Inputs, List<Tensor> Probabilities);

    delegate void RowAction(Span<ushort> row, ReadOnlySpan<ushort> other, int number);

    // Rows of contiguous bfloat16 [n, rows, columns].
    static void ForEachRow(Tensor tensor, Tensor? other, RowAction action)
    {
        (int rows, int columns) = ((int)tensor.shape[1], (int)tensor.shape[2]);
        Span<ushort> numbers = BFloat16.Numbers(tensor);
        ReadOnlySpan<ushort> others = other is null ? default : BFloat16.Numbers(other);
        for (int row = 0; row < numbers.Length / columns; row++)
            action(numbers.Slice(row * columns, columns), others.IsEmpty ? default : others.Slice(row * columns, columns), row % rows);
    }
}
