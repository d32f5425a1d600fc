namespace IgptCluster.Training.Shapes;

/// <summary>
/// The classes of the shapes data set, each as a test whether a point lies inside. Figures are centred on the origin and about 1 in radius; y points
/// down, as in images.
/// </summary>
internal static class ShapeFigures
{
    const double Half = 0.9; // of a patterned square's side

    /// <summary>Names in alphabetical order, as folders list, and their tests.</summary>
    internal static IReadOnlyList<(string Name, Func<double, double, bool> Contains)> All { get; } =
    [
        ("bars", (x, y) => IsInSquare(x, y, Half) && IsFirstHalf(y + Half, 0.72)),
        ("checker", (x, y) => IsInSquare(x, y, Half) && IsFirstHalf(x + Half, 0.9) == IsFirstHalf(y + Half, 0.9)),
        ("cross", (x, y) => (Math.Abs(x) < 0.3 && Math.Abs(y) < 0.98) || (Math.Abs(y) < 0.3 && Math.Abs(x) < 0.98)),
        ("disc", (x, y) => IsInDisc(x, y, 0.92)),
        ("dots", (x, y) => IsInSquare(x, y, Half) && IsInDisc(ToMiddle(x, 0.6), ToMiddle(y, 0.6), 0.22)),
        ("fence", (x, y) => IsInSquare(x, y, Half) && IsFirstHalf(x + Half, 0.72)),
        ("frames", (x, y) => IsInSquare(x, y, Half) && IsFirstHalf(Half - Math.Max(Math.Abs(x), Math.Abs(y)), 0.5)),
        ("lattice", (x, y) => IsInSquare(x, y, Half) && (Math.Abs(ToMiddle(x - 0.27, 0.54)) < 0.11 || Math.Abs(ToMiddle(y - 0.27, 0.54)) < 0.11)),
        ("slashes", (x, y) => IsInSquare(x, y, Half) && IsFirstHalf(x + y, 0.9)),
        ("target", (x, y) => IsInDisc(x, y, 1) && IsFirstHalf(1 - Math.Sqrt((x * x) + (y * y)), 0.45)),
    ];

    static bool IsInDisc(double x, double y, double radius) => (x * x) + (y * y) < radius * radius;

    static bool IsInSquare(double x, double y, double half) => Math.Max(Math.Abs(x), Math.Abs(y)) < half;

    // Stripes: whether a place lies in the first half of its period.
    static bool IsFirstHalf(double place, double period) => place - (period * Math.Floor(place / period)) < period / 2;

    // From the nearest multiple of a distance.
    static double ToMiddle(double place, double distance) => place - (distance * Math.Round(place / distance));
}
