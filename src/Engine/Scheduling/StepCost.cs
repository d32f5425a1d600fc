namespace IgptCluster.Engine.Scheduling;

/// <summary>
/// What steps take on this device, learned from those that ran: a step of so many decoding rows, each a sequence's next token or a guess, and what each prefilled token adds to it.
/// The engine's thread only.
/// </summary>
/// <param name="rows">The most rows a step can have.</param>
sealed class StepCost(int rows)
{
    const double Weight = 0.125; // of the latest step in an average

    readonly double[] _decode = new double[rows + 1]; // seconds by the number of decoding rows; 0: none ran yet
    double _prefilledToken; // seconds; 0: none ran yet

    /// <summary>Takes in a step that ran.</summary>
    /// <param name="decoding">Rows that decoded.</param>
    /// <param name="prefilled">Tokens beside those.</param>
    /// <param name="taken">How long it took; nothing is learned from 0.</param>
    internal void Learn(int decoding, int prefilled, TimeSpan taken)
    {
        if (taken <= TimeSpan.Zero)
        {
            return;
        }

        (double seconds, double decode, double prefill) = (taken.TotalSeconds, Decode(decoding), _prefilledToken * prefilled);
        if (prefilled == 0)
        {
            Average(ref _decode[decoding], seconds);
        }
        else if (decoding == 0)
        {
            Average(ref _prefilledToken, seconds / prefilled);
        }
        else if (decode > 0 && prefill > 0)
        {
            // Which of the two was not as expected cannot be seen: both are taken to be off by the same factor. Under load no step may be without prefills for long,
            // and by what decoding fewer sequences takes prefills would look dear.
            double factor = seconds / (decode + prefill);
            _decode[decoding] = decode;
            Average(ref _decode[decoding], decode * factor);
            Average(ref _prefilledToken, _prefilledToken * factor);
        }
        else if (decode > 0)
        {
            _prefilledToken = Math.Max(0, seconds - decode) / prefilled;
        }
        else if (prefill > 0)
        {
            _decode[decoding] = Math.Max(0, seconds - prefill);
        }
    }

    /// <summary>How many tokens may be prefilled beside decoding sequences.</summary>
    /// <param name="decoding">Sequences that decode, at least 1.</param>
    /// <param name="stretch">How many times as long as without prefills the step may take, above 1.</param>
    /// <returns>Null as long as too little was learned.</returns>
    internal int? PrefillTokens(int decoding, double stretch)
    {
        double decode = Decode(decoding);
        return decode > 0 && _prefilledToken > 0 ? (int)Math.Min((stretch - 1) * decode / _prefilledToken, int.MaxValue) : null;
    }

    // Of the nearest number that ran with no more sequences, else a share of the nearest with more: rather too little.
    double Decode(int decoding)
    {
        for (int fewer = decoding; fewer > 0; fewer--)
        {
            if (_decode[fewer] > 0)
            {
                return _decode[fewer];
            }
        }

        for (int more = decoding + 1; more < _decode.Length && decoding > 0; more++)
        {
            if (_decode[more] > 0)
            {
                return _decode[more] * decoding / more;
            }
        }

        return 0;
    }

    static void Average(ref double average, double latest) => average = average == 0 ? latest : average + (Weight * (latest - average));
}
