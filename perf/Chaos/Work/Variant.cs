using Google.Protobuf.WellKnownTypes;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Chaos.Work;

/// <summary>One thing that is asked for, again and again: always with the same answer.</summary>
/// <param name="Request">Without operation id.</param>
/// <param name="Reference">What each sample gave undisturbed.</param>
internal sealed record Variant(GenerateRequest Request, uint[][] Reference)
{
    static readonly Duration Kept = Duration.FromTimeSpan(TimeSpan.FromHours(6));

    /// <summary>Whether its sessions are there when the run is over.</summary>
    internal bool IsKept => Request.SessionTtl is not null;

    internal int Samples => (int)Math.Max(1, Request.Samples);

    internal int Prompt => (int)Request.PromptTokens;

    /// <summary>The requests: greedy and sampled, with prompts and without, of one sample and of several.</summary>
    /// <param name="model">The model.</param>
    /// <param name="count">How many of them.</param>
    /// <param name="settings">Have the seed of seeds and prompts, and how many tokens each makes.</param>
    internal static GenerateRequest[] Requests(Model model, int count, ChaosSettings settings)
    {
        var random = new Random(settings.Seed);
        int vocabulary = model.Palette.Length / 3;
        return [.. Enumerable.Range(0, count).Select(i => Make(model, i, vocabulary > 0 ? vocabulary : 64, settings.Tokens, random))];
    }

    static GenerateRequest Make(Model model, int index, int vocabulary, int tokens, Random random)
    {
        var request = new GenerateRequest
        {
            Samples = index % 4 == 3 ? 4u : 1,
            Sampling = new SamplingParameters { Temperature = index % 3 == 2 ? 0 : 1, Seed = (ulong)random.Next() },
            Stream = new StreamOptions { OmitRgb = true },
        };
        if (index % 4 == 0)
        {
            request.SessionTtl = Kept;
        }

        if (tokens > 0)
        {
            request.MaxNewTokens = (uint)tokens;
        }

        int kept = index % 2 == 0 ? 0 : (1 + random.Next(4)) * (int)model.Width;
        if (kept > 0)
        {
            (request.Prompt, request.PromptTokens) = (new ImageInput { Tokens = Grid(model, kept / (int)model.Width, vocabulary, random) }, (uint)kept);
        }

        return request;
    }

    /// <summary>Colours at random.</summary>
    internal static TokenGrid Grid(Model model, int rows, int vocabulary, Random random)
    {
        var grid = new TokenGrid { Width = model.Width, Height = model.Height };
        grid.Ids.AddRange(Enumerable.Range(0, rows * (int)model.Width).Select(_ => (uint)random.Next(vocabulary)));
        return grid;
    }
}
