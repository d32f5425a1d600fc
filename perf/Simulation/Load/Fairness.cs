namespace IgptCluster.Simulation.Load;

/// <summary>How what is given compares with what would be fair.</summary>
internal static class Fairness
{
    /// <summary>
    /// Jain's index (Jain, Chiu, Hawe, DEC-TR-301, 1984) of what each client got by what max-min fairness would have given it of the same total:
    /// 1 is fair, 1 / clients is all for one.
    /// </summary>
    /// <param name="demands">What each asked for.</param>
    /// <param name="got">What each got.</param>
    internal static double Jain(IReadOnlyList<double> demands, IReadOnlyList<double> got)
    {
        double[] fair = MaxMin(demands, got.Sum());
        double[] shares = [.. got.Zip(fair).Where(pair => pair.Second > 0).Select(pair => pair.First / pair.Second)];
        double squares = shares.Sum(share => share * share);
        return squares > 0 ? shares.Sum() * shares.Sum() / (shares.Length * squares) : double.NaN;
    }

    /// <summary>Splits a total: who asks for less than an equal part gets that, and the others share what is left.</summary>
    static double[] MaxMin(IReadOnlyList<double> demands, double total)
    {
        double[] fair = new double[demands.Count];
        int left = demands.Count;
        foreach (int client in Enumerable.Range(0, demands.Count).OrderBy(client => demands[client]))
        {
            fair[client] = Math.Min(demands[client], total / left--);
            total -= fair[client];
        }

        return fair;
    }
}
