using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using TorchSharp;

namespace IgptCluster.Model;

/// <summary>bfloat16, the upper half of a float32, to float32 and back to the nearest, ties to even; numbers must be finite. Any thread.</summary>
internal static class BFloat16
{
    // Whether operators with a backward pass of our own work on it: bfloat16 on a CPU with vectors of 512 bits, and trained.
    internal static bool IsTrained(torch.Tensor tensor) => Vector512.IsHardwareAccelerated && tensor.dtype == torch.ScalarType.BFloat16
        && tensor.device_type == DeviceType.CPU && torch.is_grad_enabled() && tensor.requires_grad;

    // Those of a contiguous bfloat16 tensor on the CPU, as long as it lives.
    internal static Span<ushort> Numbers(torch.Tensor tensor) => MemoryMarshal.Cast<byte, ushort>(tensor.bytes);

    internal static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    internal static ushort Narrow(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    // 32 numbers from a place on.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static (Vector512<float> Lower, Vector512<float> Upper) Widen(ReadOnlySpan<ushort> from, int at)
    {
        (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(Vector512.Create(from[at..]));
        return ((lower << 16).AsSingle(), (upper << 16).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Narrow(Vector512<float> lower, Vector512<float> upper, Span<ushort> to, int at) =>
        Vector512.Narrow(Round(lower.AsUInt32()), Round(upper.AsUInt32())).CopyTo(to[at..]);

    // 16 numbers, each in the lower half of a lane.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector512<uint> Narrow(Vector512<float> numbers) => Round(numbers.AsUInt32());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<uint> Round(Vector512<uint> bits) => (bits + Vector512.Create(0x7FFFu) + ((bits >>> 16) & Vector512<uint>.One)) >>> 16;
}
