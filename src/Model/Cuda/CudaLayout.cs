using IgptCluster.Engine.Runner;
using static TorchSharp.torch;

namespace IgptCluster.Model.Cuda;

/// <summary>A model's sizes as the kernels want them: rows of whole pieces of 16 bytes, inputs in whole steps of 32.</summary>
/// <param name="config">The configuration.</param>
/// <param name="shape">Its sizes for the engine.</param>
/// <param name="dtype">Float32 or BFloat16: of weights, keys and values.</param>
internal sealed class CudaLayout(ImageGptConfig config, ModelShape shape, ScalarType dtype)
{
    /// <summary>Keys that one block of attention takes; as <c>split</c> in attention.cu.</summary>
    internal const int KeysOfRun = 256;

    /// <summary>Most colours that a kernel draws from; as <c>most_colours</c> in sampling.cu.</summary>
    internal const int MostDrawnColours = 2048;

    const int KeysOfBlock = 32; // as value_keys in attention.cu
    const int Step = 32; // inputs of a product's step
    const int PieceBytes = 16;

    internal ImageGptConfig Config { get; } = config;

    internal ModelShape Shape { get; } = shape;

    internal bool IsWide { get; } = dtype == ScalarType.Float32;

    /// <summary>Bytes of a number.</summary>
    internal int Size => IsWide ? 4 : 2;

    /// <summary>Numbers from row to row of the residual stream and of normed rows.</summary>
    internal int Stride => Pad(Config.EmbeddingSize, Step);

    /// <summary>Numbers of a head, in whole pieces.</summary>
    internal int HeadStride => Pad(Config.HeadSize, PieceBytes / Size);

    /// <summary>Numbers from row to row of queries, keys and values.</summary>
    internal int QueryKeyValueStride => 3 * Config.HeadCount * HeadStride;

    /// <summary>Numbers from row to row of attention's result.</summary>
    internal int MixedStride => Pad(Config.HeadCount * HeadStride, Step);

    /// <summary>Numbers from row to row inside the MLP.</summary>
    internal int InnerStride => Pad(Config.FeedForwardSize, Step);

    /// <summary>Numbers from row to row of logits.</summary>
    internal int LogitStride => Pad(Shape.LogitCount, Step);

    /// <summary>Whether colours are drawn on the device.</summary>
    internal bool Draws => Shape.ColourCount is > 0 and <= MostDrawnColours;

    /// <summary>Lanes that share a key: the least power of two that holds its pieces, 32 at most.</summary>
    internal int KeyLanes => Math.Min(32, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)(HeadStride * Size / PieceBytes)));

    /// <summary>Positions of a slot: in bfloat16 whole blocks of 32, whose values lie together.</summary>
    internal int Capacity => Positions(Config.PositionCount);

    /// <summary>Bytes of one head's keys, or values, of one slot of a layer.</summary>
    internal long PartBytes => (long)Capacity * HeadStride * Size;

    /// <summary>Bytes of a slot in all layers.</summary>
    internal long SlotBytes => 2L * Config.LayerCount * Config.HeadCount * PartBytes;

    /// <summary>Rows of a sequence that share the keys that they read.</summary>
    internal int RowsOfTile => IsWide ? 1 : 16;

    /// <summary>Positions that lie together with the first so many.</summary>
    internal int Positions(int count) => IsWide ? count : Pad(count, KeysOfBlock);

    internal static int Pad(int count, int unit) => (count + unit - 1) / unit * unit;
}
