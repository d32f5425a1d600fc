using IgptCluster.DeviceCheck.Engine;
using IgptCluster.Engine;
using IgptCluster.Engine.Drafting;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Runner;
using IgptCluster.Engine.Sampling;
using Microsoft.Extensions.Logging.Abstractions;
using static TorchSharp.torch;

string folder = args[0];
double temp = double.Parse(args[1]);
int nTrain = int.Parse(args[2]), nTest = int.Parse(args[3]);
var loading = new Loading(folder, "cpu", "libtorch", ScalarType.Float32, ScalarType.Float32);
int[][] train = await Make(nTrain, 1000, 1), test = await Make(nTest, 5, temp);
const int W = 32;
var table = new Dictionary<ulong, ContextEntry>();
ulong[] keys = new ulong[PixelContext.Orders];
foreach (int[] t in train)
    for (int i = 0; i < t.Length; i++)
    {
        PixelContext.Write(t.AsSpan(0, i), W, keys);
        foreach (ulong k in keys) { table.TryGetValue(k, out ContextEntry e); e.Add(t[i]); table[k] = e; }
    }
Console.WriteLine($"{table.Count} contexts");
foreach (var mode in new[] { "top", "noise" })
foreach (var own in new[] { 0, 1, 2, 3 })
foreach (var min in new[] { 1, 2 })
{
    double right = 0, all = 0; double[] tok = new double[32]; long steps15 = 0, steps3 = 0, steps7 = 0, steps31 = 0; long toks = 0;
    for (int s = 0; s < test.Length; s++)
    {
        var o = new Dictionary<ulong, ContextEntry>();
        bool[] ok = new bool[1024];
        for (int i = 0; i < 1024; i++)
        {
            int g = Guess(test[s].AsSpan(0, i), o, own, min, mode, (ulong)5, (uint)s, temp);
            ok[i] = g == test[s][i]; right += ok[i] ? 1 : 0; all++;
            PixelContext.Write(test[s].AsSpan(0, i), W, keys);
            foreach (ulong k in keys) { o.TryGetValue(k, out ContextEntry e); e.Add(test[s][i]); o[k] = e; }
        }
        steps3 += Steps(ok, 3); steps7 += Steps(ok, 7); steps15 += Steps(ok, 15); steps31 += Steps(ok, 31); toks += 1024;
    }
    Console.WriteLine($"{mode} own={own} min={min}: {right / all:P2}  tokens a step 3:{toks / (double)steps3:F2} 7:{toks / (double)steps7:F2} 15:{toks / (double)steps15:F2} 31:{toks / (double)steps31:F2}");
}

// shared noise: inverse CDF against Gumbel on the same states
{
    var runner = loading.CreateRunner(2);
    var sampler = new Sampler(runner.Shape.ColourCount);
    double inv = 0, gum = 0, n = 0, tv = 0; var rnd = new Random(1);
    foreach (int[] t in test.Take(16))
    {
        int[] input = [runner.Shape.StartToken, .. t[..^1]];
        var outp = runner.Execute(new StepPlan([], [new SequenceChunk { Slot = 0, Start = 0, Tokens = input, LogitRows = 1024 }]))[0];
        for (int i = 0; i < 1024; i++)
        {
            PixelContext.Write(t.AsSpan(0, i), W, keys);
            ContextEntry e = default; foreach (ulong k in keys) if (table.TryGetValue(k, out e) && e.Total >= 1) break;
            if (e.Total == 0) continue;
            double[] q = new double[runner.Shape.ColourCount]; for (int c = 0; c < 4; c++) if (e.Count(c) > 0) q[e.Colour(c)] = e.Count(c) / (double)e.Total;
            double[] p = sampler.Probabilities(outp.Logits.Span.Slice(i * runner.Shape.LogitCount, runner.Shape.LogitCount), new SamplingParameters { Temperature = temp }).ToArray();
            tv += 0.5 * p.Zip(q, (a, b) => Math.Abs(a - b)).Sum();
            for (int r = 0; r < 20; r++)
            {
                double u = rnd.NextDouble(); inv += Pick(p, u) == Pick(q, u) ? 1 : 0;
                int a = -1, b = -1; double ba = double.NegativeInfinity, bb = ba;
                for (int c = 0; c < p.Length; c++) { if (p[c] < 1e-9 && q[c] == 0) continue; double g = -Math.Log(-Math.Log(rnd.NextDouble())); if (p[c] > 0 && Math.Log(p[c]) + g > ba) { ba = Math.Log(p[c]) + g; a = c; } if (q[c] > 0 && Math.Log(q[c]) + g > bb) { bb = Math.Log(q[c]) + g; b = c; } }
                gum += a == b ? 1 : 0; n++;
            }
        }
    }
    Console.WriteLine($"shared noise: inverse CDF {inv / n:P2}, Gumbel {gum / n:P2}, mean TV {tv / (n / 20):F4}");
}

static int Pick(double[] p, double u) { double s = 0; int last = 0; for (int c = 0; c < p.Length; c++) { if (p[c] > 0) last = c; s += p[c]; if (u < s) return c; } return last; }

int Guess(ReadOnlySpan<int> r, Dictionary<ulong, ContextEntry> o, int own, int min, string mode, ulong seed, uint sample, double T)
{
    PixelContext.Write(r, W, keys);
    for (int k = 0; k < keys.Length; k++)
    {
        ContextEntry e = default;
        bool t = own != 3 && table.TryGetValue(keys[k], out e) && e.Total >= min;
        ContextEntry f = default;
        bool m = own > 0 && o.TryGetValue(keys[k], out f);
        if (!t && !m) continue;
        if (t && m && own >= 2) { for (int c = 0; c < 4; c++) if (f.Count(c) > 0) e.Add(f.Colour(c), f.Count(c) * 4); }
        if (!t || (m && own == 1 && k == 0 && false)) e = f;
        return Draw(e, mode, seed, sample, r.Length, T);
    }
    return r.Length > 0 ? r[^1] : 0;
}

static int Draw(ContextEntry e, string mode, ulong seed, uint sample, int pos, double T)
{
    int best = 0; for (int c = 1; c < 4; c++) if (e.Count(c) > e.Count(best)) best = c;
    if (mode == "top" || T == 0) return e.Colour(best);
    double total = 0; for (int c = 0; c < 4; c++) total += Math.Pow(e.Count(c), 1 / T);
    double u = Philox.Uniform(seed, sample, (uint)pos) * Math.Pow(2, -53) * total;
    int[] order = [.. Enumerable.Range(0, 4).Where(c => e.Count(c) > 0).OrderBy(c => e.Colour(c))];
    foreach (int c in order) { double w = Math.Pow(e.Count(c), 1 / T); if (u < w) return e.Colour(c); u -= w; }
    return e.Colour(order[^1]);
}

static long Steps(bool[] ok, int k)
{
    long steps = 0; int i = 0;
    while (i < ok.Length) { int j = 0; while (j < k && i + j < ok.Length && ok[i + j]) j++; i += j + 1; steps++; }
    return steps;
}

async Task<int[][]> Make(int count, ulong seed, double t)
{
    await using var loop = new EngineLoop(new EngineOptions { MaxWaiting = 10000, MaxWaitingTokens = int.MaxValue }, () => loading.CreateRunner(64), TimeProvider.System, NullLogger.Instance);
    await loop.StartAsync();
    var s = new List<Generation>();
    for (int i = 0; i < count; i++) { loop.TrySubmit(new GenerationRequest { Id = new SequenceId($"{i}"), Prompt = Array.Empty<int>(), MaxNewTokens = 1024, Sampling = new SamplingParameters { Seed = seed, Sample = (uint)i, Temperature = t } }, out Generation? g); s.Add(g!); }
    var all = new List<int[]>();
    foreach (var g in s) { var l = new List<int>(); await foreach (var x in g.Tokens.ReadAllAsync()) l.Add(x.Token); all.Add([.. l]); }
    return [.. all];
}
