namespace IgptCluster.Imaging.Resampling;

/// <summary>
/// For each output pixel of one axis, which input pixels count and how much, in 22-bit fixed point.
/// After Pillow's Resample.c, precompute_coeffs and normalize_coeffs_8bpc: the same order of operations in double.
/// </summary>
sealed class ResampleKernel
{
    /// <summary>Fraction bits of a weight: 32, less 8 of a pixel, less 2 for overshoot.</summary>
    internal const int Precision = 22;

    readonly int[] _starts;
    readonly int[] _weights;
    readonly int[] _offsets;

    ResampleKernel(int[] starts, int[] weights, int[] offsets)
    {
        _starts = starts;
        _weights = weights;
        _offsets = offsets;
    }

    /// <summary>Number of output pixels.</summary>
    internal int Length => _starts.Length;

    /// <summary>First input pixel of an output pixel; never falls as <paramref name="output"/> rises.</summary>
    internal int Start(int output) => _starts[output];

    /// <summary>One past the last input pixel of an output pixel; never falls as <paramref name="output"/> rises.</summary>
    internal int End(int output) => _starts[output] + _offsets[output + 1] - _offsets[output];

    internal ReadOnlySpan<int> Weights(int output) => _weights.AsSpan(_offsets[output].._offsets[output + 1]);

    internal static ResampleKernel Create(int input, int output, ResampleFilter filter)
    {
        double scale = (double)input / output;
        double filterScale = Math.Max(scale, 1.0);
        double support = Support(filter) * filterScale;
        double step = 1.0 / filterScale;
        var starts = new int[output];
        var offsets = new int[output + 1];
        for (int i = 0; i < output; i++)
        {
            double center = (i + 0.5) * scale;
            starts[i] = Math.Max(0, (int)(center - support + 0.5));
            offsets[i + 1] = checked(offsets[i] + Math.Min(input, (int)(center + support + 0.5)) - starts[i]);
        }

        var weights = new int[offsets[output]];
        var exact = new double[((int)Math.Ceiling(support) * 2) + 1];
        for (int i = 0; i < output; i++)
        {
            Span<int> target = weights.AsSpan(offsets[i]..offsets[i + 1]);
            double center = (i + 0.5) * scale;
            double sum = 0;
            for (int k = 0; k < target.Length; k++)
            {
                exact[k] = Value(filter, (k + starts[i] - center + 0.5) * step);
                sum += exact[k];
            }

            for (int k = 0; k < target.Length; k++)
                target[k] = ToFixedPoint(sum != 0 ? exact[k] / sum : exact[k]);
        }

        return new ResampleKernel(starts, weights, offsets);
    }

    static int ToFixedPoint(double weight) => (int)((weight < 0 ? -0.5 : 0.5) + (weight * (1 << Precision)));

    static double Support(ResampleFilter filter) => filter switch
    {
        ResampleFilter.Box => 0.5,
        ResampleFilter.Bilinear or ResampleFilter.Hamming => 1,
        ResampleFilter.Bicubic => 2,
        ResampleFilter.Lanczos => 3,
        _ => throw new ArgumentOutOfRangeException(nameof(filter), filter, "a filter without a kernel"),
    };

    static double Value(ResampleFilter filter, double x) => filter switch
    {
        ResampleFilter.Box => x is > -0.5 and <= 0.5 ? 1 : 0,
        ResampleFilter.Bilinear => Math.Max(0, 1 - Math.Abs(x)),
        ResampleFilter.Hamming => Hamming(Math.Abs(x)),
        ResampleFilter.Bicubic => Bicubic(Math.Abs(x)),
        _ => x is >= -3 and < 3 ? Sinc(x) * Sinc(x / 3) : 0,
    };

    static double Hamming(double x)
    {
        if (x == 0 || x >= 1)
            return x == 0 ? 1 : 0;
        x *= Math.PI;
        return Math.Sin(x) / x * (0.54 + (0.46 * Math.Cos(x)));
    }

    static double Bicubic(double x)
    {
        const double a = -0.5;
        if (x < 1)
            return ((((a + 2) * x) - (a + 3)) * x * x) + 1;
        return x < 2 ? ((((x - 5) * x) + 8) * x - 4) * a : 0;
    }

    static double Sinc(double x)
    {
        if (x == 0)
            return 1;
        x *= Math.PI;
        return Math.Sin(x) / x;
    }
}
