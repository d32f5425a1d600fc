using System.Reflection;

namespace IgptCluster.Model.Cuda;

/// <summary>The kernels that a runner launches, found once, in the data type that it computes in.</summary>
internal sealed class CudaKernels
{
    const int ProductThreads = 256;
    const int LargeTileRows = 64;
    const int MediumTileRows = 32;
    const int SmallTileRows = 16;
    const int WideTileRows = 8;
    const int WideTileOutputs = 32;

    readonly ICudaDevice _device;
    readonly bool _isWide;
    readonly CudaKernel[] _products;

    internal CudaKernels(ICudaDevice device, CudaLayout layout)
    {
        bool isWide = layout.IsWide;
        (_device, _isWide) = (device, isWide);
        string type = isWide ? "f32" : "bf16";
        Embed = device.Kernel($"embed_{type}");
        Norm = device.Kernel($"norm_{type}");
        NormWide = device.Kernel("norm_f32");
        Keep = device.Kernel($"keep_{type}");
        Attend = device.Kernel(isWide ? "attend_f32" : $"attend_bf16_{StepsOf(layout.HeadStride)}");
        Merge = device.Kernel($"merge_{type}");
        Pool = device.Kernel("pool");
        Likelihood = device.Kernel("likelihood");
        Draw = device.Kernel("draw");
        string[] products = isWide ? ["product_f32_1", "product_f32_8"] : ["product_bf16_1x2", "product_bf16_2x4", "product_bf16_4x4"];
        _products = [.. products.Select(device.Kernel)];
    }

    /// <summary>The PTX of all of them, as it lies in this assembly.</summary>
    internal static IEnumerable<string> Ptx
    {
        get
        {
            Assembly assembly = typeof(CudaKernels).Assembly;
            foreach (string name in assembly.GetManifestResourceNames().Where(name => name.EndsWith(".ptx", StringComparison.Ordinal)))
            {
                using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
                yield return reader.ReadToEnd();
            }
        }
    }

    internal CudaKernel Embed { get; }

    internal CudaKernel Norm { get; }

    internal CudaKernel NormWide { get; }

    internal CudaKernel Keep { get; }

    internal CudaKernel Attend { get; }

    internal CudaKernel Merge { get; }

    internal CudaKernel Pool { get; }

    internal CudaKernel Likelihood { get; }

    internal CudaKernel Draw { get; }

    // The least number of steps that a kernel is made for and that holds a head.
    static int StepsOf(int numbers) => numbers switch { <= 64 => 2, <= 96 => 3, <= 128 => 4, _ => 8 };

    /// <summary>Queues a product of rows and a layer's weights.</summary>
    /// <param name="matrix">The layer.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="end">What becomes of it.</param>
    internal void Product(CudaMatrix matrix, CudaRows rows, CudaEnd end)
    {
        (CudaKernel kernel, int tileRows, int tileOutputs) = (_isWide, rows.Count) switch
        {
            (true, < WideTileRows) => (_products[0], 1, WideTileOutputs),
            (true, _) => (_products[1], WideTileRows, WideTileOutputs),
            (false, <= SmallTileRows) => (_products[0], SmallTileRows, 16),
            (false, <= MediumTileRows) => (_products[1], MediumTileRows, 32),
            _ => (_products[2], LargeTileRows, 32),
        };
        var grid = new CudaGrid((matrix.Outputs + tileOutputs - 1) / tileOutputs, (rows.Count + tileRows - 1) / tileRows, 1, ProductThreads);
        _device.Launch(
            kernel,
            grid,
            rows.Address,
            matrix.Weights,
            matrix.Bias,
            end.Target,
            (uint)rows.Count,
            (uint)rows.Stride,
            (uint)matrix.Steps,
            (uint)matrix.Outputs,
            (uint)end.Stride,
            (uint)end.Kind,
            (uint)end.Activation,
            (uint)matrix.PaddedOutputs); // in float32 only; others do not read it
    }
}

/// <summary>Rows that a product reads.</summary>
/// <param name="Address">Where they begin.</param>
/// <param name="Count">How many, at least 1.</param>
/// <param name="Stride">Numbers from row to row.</param>
internal readonly record struct CudaRows(ulong Address, int Count, int Stride);

/// <summary>What becomes of a product, by the numbers of <c>product.cu</c>.</summary>
/// <param name="Kind">What.</param>
/// <param name="Target">Where its rows begin.</param>
/// <param name="Stride">Numbers from row to row.</param>
/// <param name="Activation">The non-linearity, 0 for none; of <see cref="CudaEndKind.Store"/> only.</param>
internal readonly record struct CudaEnd(CudaEndKind Kind, ulong Target, int Stride, int Activation = 0);

/// <summary>Kinds of <see cref="CudaEnd"/>.</summary>
internal enum CudaEndKind
{
    /// <summary>With bias and activation, in the rows' type.</summary>
    Store,

    /// <summary>With bias, added to float32.</summary>
    Add,

    /// <summary>As it is, in float32.</summary>
    Write,
}
