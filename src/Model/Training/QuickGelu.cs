using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static TorchSharp.torch;

namespace IgptCluster.Model.Training;

/// <summary>
/// x · σ(1.702 x) of bfloat16 numbers on the CPU with its derivative, for training: one pass over the numbers forward and one backward, in float32,
/// where libtorch's operators make three and five. Any thread.
/// </summary>
internal sealed class QuickGelu : autograd.SingleTensorFunction<QuickGelu>
{
    const string State = "state";
    const int Step = 32;
    internal const float Factor = 1.702f;

    static readonly Vector512<float> ToPower = Vector512.Create(-Factor * MathF.Log2(MathF.E));
    static readonly Vector512<float> MaxPower = Vector512.Create(-126f);

    /// <inheritdoc/>
    public override string Name => nameof(QuickGelu);

    /// <summary>Whether this machine and this tensor are what it is made for.</summary>
    internal static bool Fits(Tensor x) => BFloat16.IsTrained(x) && x.NumberOfElements % Step == 0 && x.NumberOfElements <= int.MaxValue / sizeof(ushort);

    /// <summary>Any shape to the same.</summary>
    public override Tensor forward(autograd.AutogradContext ctx, params object[] vars)
    {
        Tensor x = ((Tensor)vars[0]).contiguous().alias().DetachFromDisposeScope();
        ctx.save_data(State, new Kept(x));
        Tensor result = empty_like(x);
        Forward(BFloat16.Numbers(x), BFloat16.Numbers(result));
        return result;
    }

    /// <summary>The gradient of x from that of the result.</summary>
    public override List<Tensor> backward(autograd.AutogradContext ctx, Tensor gradOutput)
    {
        using Tensor x = ((Kept)ctx.get_data(State)).Input;
        Tensor result = gradOutput.contiguous().clone();
        Backward(BFloat16.Numbers(x), BFloat16.Numbers(result));
        return [result];
    }

    // See CausalAttention.
    sealed record Kept(Tensor Input);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Forward(ReadOnlySpan<ushort> from, Span<ushort> to)
    {
        for (int at = 0; at < from.Length; at += Step)
        {
            (Vector512<float> lower, Vector512<float> upper) = BFloat16.Widen(from, at);
            BFloat16.Narrow(lower * Sigmoid(lower), upper * Sigmoid(upper), to, at);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    static void Backward(ReadOnlySpan<ushort> from, Span<ushort> gradient)
    {
        for (int at = 0; at < from.Length; at += Step)
        {
            (Vector512<float> lower, Vector512<float> upper) = BFloat16.Widen(from, at);
            (Vector512<float> gradientLower, Vector512<float> gradientUpper) = BFloat16.Widen(gradient, at);
            BFloat16.Narrow(gradientLower * Derivative(lower), gradientUpper * Derivative(upper), gradient, at);
        }
    }

    // σ(1.702 x)
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Sigmoid(Vector512<float> x)
    {
        Vector512<float> power = x * ToPower;
        power = Vector512.ConditionalSelect(Vector512.GreaterThan(power, -MaxPower), -MaxPower, power);
        return Vector512<float>.One / (Vector512<float>.One + Float512.Exp2(power));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> Derivative(Vector512<float> x)
    {
        Vector512<float> sigmoid = Sigmoid(x);
        return sigmoid * (Vector512<float>.One + (x * Factor * (Vector512<float>.One - sigmoid)));
    }
}
