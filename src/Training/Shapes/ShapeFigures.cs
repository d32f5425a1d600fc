namespace IgptCluster.Training.Shapes;

/// <summary>
/// The classes of the shapes data set, each as a test whether a point lies inside. Figures are centred on the origin and about 1 in radius; y points
/// down, as in images.
/// </summary>
internal static class ShapeFigures
{
    static readonly (double X, double Y)[] TriangleCorners = RegularStar(3, 1.05, 0.525);
    static readonly (double X, double Y)[] StarCorners = RegularStar(5, 1.05, 0.42);
    static readonly (double X, double Y)[] ArrowCorners =
        [(0, -1), (0.8, -0.1), (0.3, -0.1), (0.3, 1), (-0.3, 1), (-0.3, -0.1), (-0.8, -0.1)];

    /// <summary>Names in alphabetical order, as folders list, and their tests.</summary>
    internal static IReadOnlyList<(string Name, Func<double, double, bool> Contains)> All { get; } =
    [
        ("arrow", (x, y) => IsInside(ArrowCorners, x, y)),
        ("bar", (x, y) => Math.Abs(x) < 1 && Math.Abs(y) < 0.32),
        ("circle", (x, y) => IsInDisc(x, y, 0.92)),
        ("crescent", (x, y) => IsInDisc(x, y, 1) && !IsInDisc(x - 0.45, y, 0.8)),
        ("cross", (x, y) => (Math.Abs(x) < 0.3 && Math.Abs(y) < 0.98) || (Math.Abs(y) < 0.3 && Math.Abs(x) < 0.98)),
        ("frame", (x, y) => IsInSquare(x, y, 0.84) && !IsInSquare(x, y, 0.46)),
        ("heart", IsInHeart),
        ("ring", (x, y) => IsInDisc(x, y, 0.98) && !IsInDisc(x, y, 0.58)),
        ("semicircle", (x, y) => IsInDisc(x, y + 0.45, 1) && y > -0.45),
        ("square", (x, y) => IsInSquare(x, y, 0.8)),
        ("star", (x, y) => IsInside(StarCorners, x, y)),
        ("triangle", (x, y) => IsInside(TriangleCorners, x, y)),
    ];

    static bool IsInDisc(double x, double y, double radius) => (x * x) + (y * y) < radius * radius;

    static bool IsInSquare(double x, double y, double half) => Math.Max(Math.Abs(x), Math.Abs(y)) < half;

    // The curve (x² + y² − 1)³ = x²y³ with y upward, shrunk to the others' size.
    static bool IsInHeart(double x, double y)
    {
        (double u, double v) = (x * 1.2, (-y * 1.2) + 0.1);
        double ring = (u * u) + (v * v) - 1;
        return ring * ring * ring < u * u * v * v * v;
    }

    // Corners on an outer and an inner circle by turns, the first pointing up.
    static (double X, double Y)[] RegularStar(int points, double outer, double inner) =>
        [.. Enumerable.Range(0, 2 * points).Select(i =>
        {
            (double sine, double cosine) = Math.SinCos(Math.PI * i / points);
            double radius = i % 2 == 0 ? outer : inner;
            return (radius * sine, -radius * cosine);
        })];

    // Even–odd rule.
    static bool IsInside((double X, double Y)[] corners, double x, double y)
    {
        bool inside = false;
        (double X, double Y) from = corners[^1];
        foreach ((double X, double Y) to in corners)
        {
            if (from.Y > y != to.Y > y && x < ((to.X - from.X) * (y - from.Y) / (to.Y - from.Y)) + from.X)
                inside = !inside;
            from = to;
        }

        return inside;
    }
}
