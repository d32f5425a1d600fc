namespace IgptCluster.Training.Shapes;

/// <summary>How one area is coloured: flat, or a gradient along a line or from a centre.</summary>
/// <param name="Kind">The way from <paramref name="From"/> to <paramref name="To"/>.</param>
/// <param name="From">First colour, channels 0 to 1.</param>
/// <param name="To">Second colour.</param>
/// <param name="Angle">Direction, radians.</param>
/// <param name="Period">Pixels from the first colour to the second.</param>
/// <param name="OffsetX">Where the field begins, pixels.</param>
/// <param name="OffsetY">The same from the top.</param>
internal sealed record ColourField(FieldKind Kind, Colour From, Colour To, double Angle, double Period, double OffsetX, double OffsetY)
{
    const double Bands = 4; // a gradient goes over in so many steps, as pixel art does

    /// <summary>The colour of a point, in pixels from the top left.</summary>
    internal Colour At(double x, double y)
    {
        (double sine, double cosine) = Math.SinCos(Angle);
        (double dx, double dy) = (x - OffsetX, y - OffsetY);
        double along = ((dx * cosine) + (dy * sine)) / Period;
        double share = Kind switch
        {
            FieldKind.Flat => 0,
            FieldKind.Linear => Math.Clamp(along, 0, 1),
            _ => Math.Clamp(Math.Sqrt((dx * dx) + (dy * dy)) / Period, 0, 1),
        };
        return Colour.Mix(From, To, Math.Round(share * Bands) / Bands);
    }
}

/// <summary>Kinds of <see cref="ColourField"/>.</summary>
internal enum FieldKind
{
    /// <summary>One colour.</summary>
    Flat,

    /// <summary>A gradient along a line.</summary>
    Linear,

    /// <summary>A gradient from a centre outward.</summary>
    Radial,
}
