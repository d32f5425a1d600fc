using IgptCluster.Imaging;

namespace IgptCluster.Training.Shapes;

/// <summary>One picture of the shapes data set: a figure somewhere on a background, all of it drawn at random from one seed.</summary>
internal sealed class ShapeScene
{
    const double Saturation = 0.7;
    const double MaxTilt = Math.PI / 24; // either way

    // Of backgrounds and of figures: dark and bright, and few, so that a small network can learn what they have in common.
    static readonly Tone[] Dark = [new(0.63, 0.35), new(0.9, 0.4)];
    static readonly Tone[] Bright = [new(0.13, 1), new(0.5, 0.9)];

    readonly Random _random;
    readonly Func<double, double, bool> _contains;
    readonly int _side;
    readonly (double X, double Y, double Radius, double Sine, double Cosine) _place;
    readonly ColourField _background;
    readonly ColourField _fill;
    readonly double _noise; // share of pixels

    /// <summary>Draws everything random about a picture.</summary>
    /// <param name="contains">The figure's test.</param>
    /// <param name="side">Pixels on a side.</param>
    /// <param name="seed">Seed of this picture alone.</param>
    internal ShapeScene(Func<double, double, bool> contains, int side, int seed)
    {
        (_contains, _side, _random) = (contains, side, new Random(seed));
        double radius = Between(0.28, 0.34) * side;
        double margin = radius + 1;
        (double sine, double cosine) = Math.SinCos(Between(-MaxTilt, MaxTilt));
        _place = (Between(margin, side - margin), Between(margin, side - margin), radius, sine, cosine);
        _background = Field([0.8, 0.1, 0.1], Any(Dark));
        _fill = Field([0.9, 0.1], Any(Bright));
        _noise = _random.NextDouble() < 0.9 ? 0 : Between(0.01, 0.03);
    }

    /// <summary>Paints the picture: edges hard, noise as pixels of any figure's colour.</summary>
    internal RgbImage Paint()
    {
        byte[] rgb = new byte[_side * _side * 3];
        for (int y = 0; y < _side; y++)
        {
            for (int x = 0; x < _side; x++)
            {
                Colour colour = _noise > 0 && _random.NextDouble() < _noise ? Any(Bright).Colour : (Covers(x, y) ? _fill : _background).At(x, y);
                Span<byte> pixel = rgb.AsSpan(((y * _side) + x) * 3, 3);
                (pixel[0], pixel[1], pixel[2]) = (Level(colour.Red), Level(colour.Green), Level(colour.Blue));
            }
        }

        return new RgbImage(_side, _side, rgb);
    }

    // Whether the figure covers a pixel's middle.
    bool Covers(int x, int y)
    {
        (double dx, double dy) = ((x + 0.5 - _place.X) / _place.Radius, (y + 0.5 - _place.Y) / _place.Radius);
        return _contains((dx * _place.Cosine) + (dy * _place.Sine), (dy * _place.Cosine) - (dx * _place.Sine));
    }

    // Goes over to a like colour: darker or lighter, and a little further around the hues.
    ColourField Field(double[] shares, Tone first)
    {
        double pick = _random.NextDouble();
        int kind = 0;
        while (kind < shares.Length - 1 && pick >= shares[kind])
            pick -= shares[kind++];
        double period = Between(0.8, 1.3) * _side;
        double lighter = Between(0.1, 0.2) * (first.Value > 0.7 ? -1 : 1);
        Colour to = (first with { Value = first.Value + lighter }).Colour;
        return new ColourField((FieldKind)kind, first.Colour, to, Between(0, 2 * Math.PI), period, Between(0, _side), Between(0, _side));
    }

    Tone Any(Tone[] tones) => tones[_random.Next(tones.Length)];

    static byte Level(double value) => (byte)Math.Clamp(Math.Round(value * 255), 0, 255);

    double Between(double low, double high) => low + ((high - low) * _random.NextDouble());

    // Hue and value, each 0 to 1.
    readonly record struct Tone(double Hue, double Value)
    {
        internal Colour Colour => Colour.FromHsv(Hue - Math.Floor(Hue), Saturation, Math.Clamp(Value, 0, 1));
    }
}
