using IgptCluster.Imaging;

namespace IgptCluster.Training.Shapes;

/// <summary>One picture of the shapes data set: a figure somewhere on a background, all of it drawn at random from one seed.</summary>
internal sealed class ShapeScene
{
    const int Subpixels = 4; // on a side
    const double MinContrast = 0.45; // of √3
    const double MaxTilt = Math.PI / 6; // either way: beyond it some figures would look like others

    readonly Random _random;
    readonly Func<double, double, bool> _contains;
    readonly int _side;
    readonly (double X, double Y, double Radius, double Sine, double Cosine) _place;
    readonly ColourField _background;
    readonly ColourField _fill;
    readonly double _noise; // standard deviation, levels of 255

    /// <summary>Draws everything random about a picture.</summary>
    /// <param name="contains">The figure's test.</param>
    /// <param name="side">Pixels on a side.</param>
    /// <param name="seed">Seed of this picture alone.</param>
    internal ShapeScene(Func<double, double, bool> contains, int side, int seed)
    {
        (_contains, _side, _random) = (contains, side, new Random(seed));
        double radius = Between(0.27, 0.42) * side;
        double margin = radius + 1;
        (double sine, double cosine) = Math.SinCos(Between(-MaxTilt, MaxTilt));
        _place = (Between(margin, side - margin), Between(margin, side - margin), radius, sine, cosine);
        _background = Field([0.25, 0.35, 0.2, 0.2], AnyColour());
        _fill = Field([0.6, 0.4], ContrastingColour());
        _noise = _random.NextDouble() < 0.6 ? 0 : Between(0.5, 2.5);
    }

    /// <summary>Paints the picture: edges antialiased, noise added last.</summary>
    internal RgbImage Paint()
    {
        byte[] rgb = new byte[_side * _side * 3];
        for (int y = 0; y < _side; y++)
        {
            for (int x = 0; x < _side; x++)
            {
                Colour colour = Colour.Mix(_background.At(x, y), _fill.At(x, y), Coverage(x, y));
                Span<byte> pixel = rgb.AsSpan(((y * _side) + x) * 3, 3);
                (pixel[0], pixel[1], pixel[2]) = (Level(colour.Red), Level(colour.Green), Level(colour.Blue));
            }
        }

        return new RgbImage(_side, _side, rgb);
    }

    double Coverage(int x, int y)
    {
        int inside = 0;
        for (int i = 0; i < Subpixels * Subpixels; i++)
        {
            double dx = (x + ((i % Subpixels) + 0.5) / Subpixels - _place.X) / _place.Radius;
            double dy = (y + ((i / Subpixels) + 0.5) / Subpixels - _place.Y) / _place.Radius;
            inside += _contains((dx * _place.Cosine) + (dy * _place.Sine), (dy * _place.Cosine) - (dx * _place.Sine)) ? 1 : 0;
        }

        return (double)inside / (Subpixels * Subpixels);
    }

    ColourField Field(double[] shares, Colour from)
    {
        double pick = _random.NextDouble();
        int kind = 0;
        while (kind < shares.Length - 1 && pick >= shares[kind])
            pick -= shares[kind++];
        Colour to = Colour.Mix(from, AnyColour(), Between(0.3, 0.6));
        double period = (FieldKind)kind == FieldKind.Stripes ? Between(0.2, 0.4) * _side : Between(0.8, 1.3) * _side;
        return new ColourField((FieldKind)kind, from, to, Between(0, 2 * Math.PI), period, Between(0, _side), Between(0, _side));
    }

    Colour AnyColour() => Colour.FromHsv(_random.NextDouble(), Between(0.2, 1), Between(0.3, 1));

    // Far from both colours of the background. Some colour always is: the cube's diagonal is four times the distance.
    Colour ContrastingColour()
    {
        Colour colour;
        do
        {
            colour = AnyColour();
        }
        while (colour.DistanceTo(_background.From) < MinContrast || colour.DistanceTo(_background.To) < MinContrast);

        return colour;
    }

    byte Level(double value) => (byte)Math.Clamp(Math.Round((value * 255) + (_noise > 0 ? _noise * Normal() : 0)), 0, 255);

    double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    double Between(double low, double high) => low + ((high - low) * _random.NextDouble());
}
