namespace IgptCluster.Engine.Sampling;

/// <summary>
/// The counter-based generator Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011):
/// a number is a pure function of key and counter, so no generator state has to survive anything.
/// </summary>
static class Philox
{
    const int Rounds = 10;
    const uint Multiplier0 = 0xD2511F53;
    const uint Multiplier1 = 0xCD9E8D57;
    const uint Weyl0 = 0x9E3779B9;
    const uint Weyl1 = 0xBB67AE85;

    /// <summary>Four words for one counter.</summary>
    internal static (uint X0, uint X1, uint X2, uint X3) Block((uint C0, uint C1, uint C2, uint C3) counter, (uint K0, uint K1) key)
    {
        var (c0, c1, c2, c3) = counter;
        var (k0, k1) = key;
        for (int round = 0; round < Rounds; round++)
        {
            ulong product0 = (ulong)Multiplier0 * c0;
            ulong product1 = (ulong)Multiplier1 * c2;
            (c0, c1, c2, c3) = (
                (uint)(product1 >> 32) ^ c1 ^ k0,
                (uint)product1,
                (uint)(product0 >> 32) ^ c3 ^ k1,
                (uint)product0);
            k0 = unchecked(k0 + Weyl0);
            k1 = unchecked(k1 + Weyl1);
        }

        return (c0, c1, c2, c3);
    }

    /// <summary>Uniform in 0 … 2⁵³ − 1, for one position of one sample of one seed.</summary>
    internal static ulong Uniform(ulong seed, uint sample, uint position)
    {
        var (x0, x1, _, _) = Block((position, sample, 0, 0), ((uint)seed, (uint)(seed >> 32)));
        return (x0 | ((ulong)x1 << 32)) >> 11;
    }
}
