using IgptCluster.Imaging;

namespace IgptCluster.Training.Shapes;

/// <summary>One picture of the shapes data set: a figure somewhere on a background, all of it drawn at random from one seed.</summary>
internal sealed class ShapeScene
{
    const int Subpixels = 4; // on a side
    const double MinContrast = 0.45; // of √3
    const double Saturation = 0.7; // one for all, so that a palette of 512 lies close
    const double MinValue = 0.3;
    const double MeanValue = (1 + MinValue) / 2;
    const double MaxHueStep = 0.08; // of the circle
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
        _background = Field([0.25, 0.35, 0.2, 0.2], AnyTone());
        _fill = Field([0.6, 0.4], ContrastingTone());
        _noise = _random.NextDouble() < 0.7 ? 0 : Between(0.5, 1.5);
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

    // Goes over to a like colour: darker or lighter, and a little further around the hues.
    ColourField Field(double[] shares, Tone first)
    {
        double pick = _random.NextDouble();
        int kind = 0;
        while (kind < shares.Length - 1 && pick >= shares[kind])
            pick -= shares[kind++];
        double period = (FieldKind)kind == FieldKind.Stripes ? Between(0.2, 0.4) * _side : Between(0.8, 1.3) * _side;
        double lighter = Between(0.15, 0.35) * (first.Value > MeanValue ? -1 : 1);
        Colour to = (first with { Hue = first.Hue + Between(-MaxHueStep, MaxHueStep), Value = first.Value + lighter }).Colour;
        return new ColourField((FieldKind)kind, first.Colour, to, Between(0, 2 * Math.PI), period, Between(0, _side), Between(0, _side));
    }

    Tone AnyTone() => new(_random.NextDouble(), Between(MinValue, 1));

    // Far from both colours of the background. Some colour always is: the hues' circle is wide.
    Tone ContrastingTone()
    {
        Tone tone;
        do
        {
            tone = AnyTone();
        }
        while (tone.Colour.DistanceTo(_background.From) < MinContrast || tone.Colour.DistanceTo(_background.To) < MinContrast);

        return tone;
    }

    byte Level(double value) => (byte)Math.Clamp(Math.Round((value * 255) + (_noise > 0 ? _noise * Normal() : 0)), 0, 255);

    double Normal() => Math.Sqrt(-2 * Math.Log(1 - _random.NextDouble())) * Math.Cos(2 * Math.PI * _random.NextDouble());

    double Between(double low, double high) => low + ((high - low) * _random.NextDouble());

    // Hue and value, each 0 to 1.
    readonly record struct Tone(double Hue, double Value)
    {
        internal Colour Colour => Colour.FromHsv(Hue - Math.Floor(Hue), Saturation, Math.Clamp(Value, 0, 1));
    }
}
