using System.Buffers;

namespace IgptCluster.Imaging.Resampling;

/// <summary>
/// Pillow's <c>Image.resize</c> for 8-bit RGB, to the bit: a horizontal pass rounded to bytes, then a vertical one, each
/// with 22-bit fixed-point weights that widen when scaling down; a pass is left out when its size does not change.
/// Any thread may call.
/// </summary>
/// <remarks>
/// After Pillow 9.4's Resample.c and, for nearest, Geometry.c. The difference: rows are streamed into the sums of the
/// output rows that need them, so no intermediate image is held (integer sums do not depend on the order).
/// </remarks>
public static class PillowResampler
{
    const int Half = 1 << (ResampleKernel.Precision - 1);

    /// <summary>Resizes to exactly the given size, whatever the aspect.</summary>
    /// <param name="source">The image; not changed, and returned itself when it has that size already.</param>
    /// <param name="width">Pixels in a row, at least 1.</param>
    /// <param name="height">Rows, at least 1.</param>
    /// <param name="filter">ImageGPT uses <see cref="ResampleFilter.Bilinear"/>.</param>
    /// <exception cref="ArgumentOutOfRangeException">A size below 1, more than 715,827,882 pixels in all, or an unknown filter.</exception>
    public static RgbImage Resize(RgbImage source, int width, int height, ResampleFilter filter = ResampleFilter.Bilinear)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(height, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan((long)width * height, int.MaxValue / 3, nameof(width));
        if (!Enum.IsDefined(filter))
            throw new ArgumentOutOfRangeException(nameof(filter), filter, "Pillow's filters are 0 to 5");
        if (source.Width == width && source.Height == height)
            return source;
        var output = new byte[width * height * 3];
        if (filter == ResampleFilter.Nearest)
        {
            Nearest(source, width, height, output);
            return new RgbImage(width, height, output);
        }

        ResampleKernel? horizontal = source.Width == width ? null : ResampleKernel.Create(source.Width, width, filter);
        if (source.Height == height)
        {
            for (int y = 0; y < height; y++)
                ResizeRow(source.Row(y), horizontal!, output.AsSpan(y * width * 3, width * 3));
        }
        else
        {
            Stream(source, horizontal, ResampleKernel.Create(source.Height, height, filter), output);
        }

        return new RgbImage(width, height, output);
    }

    static void Stream(RgbImage source, ResampleKernel? horizontal, ResampleKernel vertical, byte[] output)
    {
        int stride = output.Length / vertical.Length;
        byte[] resized = ArrayPool<byte>.Shared.Rent(stride);
        using var sums = new RowSums(vertical, stride);
        try
        {
            for (int y = vertical.Start(0); y < vertical.End(vertical.Length - 1); y++)
            {
                ReadOnlySpan<byte> row = source.Row(y);
                if (horizontal is not null)
                {
                    ResizeRow(row, horizontal, resized.AsSpan(0, stride));
                    row = resized.AsSpan(0, stride);
                }

                sums.Add(y, row, output);
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(resized);
        }
    }

    static void ResizeRow(ReadOnlySpan<byte> row, ResampleKernel kernel, Span<byte> target)
    {
        for (int x = 0; x < kernel.Length; x++)
        {
            ReadOnlySpan<int> weights = kernel.Weights(x);
            ReadOnlySpan<byte> pixels = row.Slice(kernel.Start(x) * 3, weights.Length * 3);
            int red = Half;
            int green = Half;
            int blue = Half;
            for (int i = 0; i < weights.Length; i++)
            {
                int weight = weights[i];
                blue += pixels[(i * 3) + 2] * weight;
                green += pixels[(i * 3) + 1] * weight;
                red += pixels[i * 3] * weight;
            }

            target[(x * 3) + 2] = ToByte(blue);
            target[(x * 3) + 1] = ToByte(green);
            target[x * 3] = ToByte(red);
        }
    }

    static byte ToByte(int sum) => (byte)Math.Clamp(sum >> ResampleKernel.Precision, 0, 255);

    static void Nearest(RgbImage source, int width, int height, byte[] output)
    {
        int[] columns = NearestPositions(source.Width, width);
        int[] rows = NearestPositions(source.Height, height);
        Span<byte> target = output;
        foreach (int y in rows)
        {
            ReadOnlySpan<byte> row = source.Row(y);
            foreach (int x in columns)
            {
                row.Slice(x * 3, 3).CopyTo(target);
                target = target[3..];
            }
        }
    }

    static int[] NearestPositions(int input, int output)
    {
        // Added up as Geometry.c does, not multiplied out: the rounding errors are part of the result.
        double step = (double)input / output;
        double position = step * 0.5;
        var positions = new int[output];
        for (int i = 0; i < output; i++)
        {
            positions[i] = Math.Clamp((int)position, 0, input - 1);
            position += step;
        }

        return positions;
    }

    /// <summary>The sums of the output rows that are begun and not complete: a ring, as their windows only move down.</summary>
    sealed class RowSums : IDisposable
    {
        readonly ResampleKernel _kernel;
        readonly int _stride;
        readonly int _capacity;
        readonly int[] _sums;
        int _first;
        int _next;

        internal RowSums(ResampleKernel kernel, int stride)
        {
            _kernel = kernel;
            _stride = stride;
            _capacity = MostRowsAtOnce(kernel);
            _sums = ArrayPool<int>.Shared.Rent(checked(_capacity * stride));
        }

        internal void Add(int y, ReadOnlySpan<byte> row, byte[] output)
        {
            for (; _next < _kernel.Length && _kernel.Start(_next) <= y; _next++)
                Row(_next).Fill(Half);
            for (int open = _first; open < _next; open++)
            {
                int weight = _kernel.Weights(open)[y - _kernel.Start(open)];
                Span<int> sums = Row(open);
                for (int i = 0; i < row.Length && i < sums.Length; i++)
                    sums[i] += row[i] * weight;
            }

            for (; _first < _next && _kernel.End(_first) == y + 1; _first++)
            {
                Span<int> sums = Row(_first);
                Span<byte> target = output.AsSpan(_first * _stride, _stride);
                for (int i = 0; i < target.Length; i++)
                    target[i] = ToByte(sums[i]);
            }
        }

        public void Dispose() => ArrayPool<int>.Shared.Return(_sums);

        Span<int> Row(int output) => _sums.AsSpan(output % _capacity * _stride, _stride);

        static int MostRowsAtOnce(ResampleKernel kernel)
        {
            int most = 1;
            int last = 0;
            for (int row = 0; row < kernel.Length; row++)
            {
                while (last + 1 < kernel.Length && kernel.Start(last + 1) < kernel.End(row))
                    last++;
                most = Math.Max(most, last - row + 1);
            }

            return most;
        }
    }
}
