namespace IgptCluster.Training.Shapes;

/// <summary>A colour with channels 0 to 1.</summary>
internal readonly record struct Colour(double Red, double Green, double Blue)
{
    internal static Colour Mix(Colour from, Colour to, double share) =>
        new(from.Red + (share * (to.Red - from.Red)), from.Green + (share * (to.Green - from.Green)), from.Blue + (share * (to.Blue - from.Blue)));

    /// <summary>A colour by hue, saturation and value, each 0 to 1.</summary>
    internal static Colour FromHsv(double hue, double saturation, double value)
    {
        return new Colour(Channel(5), Channel(3), Channel(1));

        double Channel(double shift)
        {
            double k = (shift + (hue * 6)) % 6;
            return value - (value * saturation * Math.Clamp(Math.Min(k, 4 - k), 0, 1));
        }
    }
}
