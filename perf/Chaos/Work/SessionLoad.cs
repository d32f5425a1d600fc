using System.Collections.Concurrent;
using System.Diagnostics;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Chaos.Work;

/// <summary>Keeps sessions streaming: as soon as one ends another begins. Some have further viewers, who come at any time and ask for any position that is there.</summary>
/// <param name="clients">Used in turn.</param>
/// <param name="variants">What is asked for.</param>
/// <param name="seed">Of what is asked for and who looks on.</param>
/// <param name="mayRefuse">Whether the store may be full just now.</param>
internal sealed class SessionLoad(LoadClient[] clients, Variant[] variants, int seed, Func<bool> mayRefuse, Refusals refusals, Violations violations)
{
    static readonly TimeSpan RefusedWait = TimeSpan.FromSeconds(1);

    readonly ConcurrentDictionary<Track, bool> _live = new();
    readonly ConcurrentQueue<KeptSession> _kept = new();
    readonly ConcurrentBag<Task> _viewers = [];
    int _finished;
    int _watched;
    long _tokens;
    int _resumptions;
    int _resumed;

    /// <summary>Generating streams that are open.</summary>
    internal IEnumerable<Track> Live => _live.Keys;

    internal int Finished => _finished;

    /// <summary>Those that have ended and can be looked up until the run is over.</summary>
    internal IReadOnlyCollection<KeptSession> Kept => _kept;

    internal int Watched => _watched;

    internal long Tokens => Interlocked.Read(ref _tokens);

    /// <summary>How often sessions went on elsewhere, all together, and how many did.</summary>
    internal (int Times, int Sessions) Resumptions => (_resumptions, _resumed);

    /// <summary>Runs until told to stop, then until the last session has ended.</summary>
    /// <param name="sessions">How many stream at a time.</param>
    /// <param name="stop">No new ones from then on.</param>
    internal async Task RunAsync(int sessions, CancellationToken stop)
    {
        Variant[] many = [.. variants.Where(variant => variant.Samples > 1)];
        Variant[] single = [.. variants.Where(variant => variant.Samples == 1)];
        int groups = many.Length > 0 ? sessions / 2 / many[0].Samples : 0;
        int singles = sessions - (groups * (many.Length > 0 ? many[0].Samples : 0));
        IEnumerable<Task> workers = [.. Enumerable.Range(0, groups).Select(i => WorkAsync(i, many, stop)), .. Enumerable.Range(groups, singles).Select(i => WorkAsync(i, single, stop))];
        await Task.WhenAll(workers);
        await Task.WhenAll(_viewers);
    }

    async Task WorkAsync(int worker, Variant[] choice, CancellationToken stop)
    {
        var random = new Random((seed * 1_000) + worker);
        await Task.Yield();
        while (!stop.IsCancellationRequested)
        {
            await GenerateAsync(clients[worker % clients.Length], clients[(worker + 1) % clients.Length], choice[random.Next(choice.Length)], random);
        }
    }

    async Task GenerateAsync(LoadClient client, LoadClient others, Variant variant, Random random)
    {
        Track[] tracks = [.. variant.Reference.Select(reference => new Track("the generating stream", client, reference, variant.Prompt, variant.Prompt, violations))];
        int[] looksOn = [.. tracks.Select(_ => random.Next(3) == 0 ? variant.Prompt + random.Next(variant.Reference[0].Length) : int.MaxValue)];
        Exception? failure = null;
        foreach (Track track in tracks)
        {
            _live[track] = true;
        }

        try
        {
            await foreach (GenerateEvent happened in client.Calls.GenerateAsync(variant.Request))
            {
                Track track = tracks[happened.Sample];
                track.Take(happened);
                Interlocked.Add(ref _tokens, happened.Tokens?.Ids.Count ?? 0);
                if (track.Next > looksOn[happened.Sample])
                {
                    looksOn[happened.Sample] = int.MaxValue;
                    _viewers.Add(WatchAsync(others, track.SessionId, variant, (int)happened.Sample, random.Next(variant.Prompt, track.Next)));
                }
            }
        }
        catch (Exception broken)
        {
            failure = broken;
        }

        if (failure is not null && refusals.AddIfStoreFull(failure) && mayRefuse() && tracks.All(track => track.SessionId.Length == 0))
        {
            Array.ForEach(tracks, track => _live.TryRemove(track, out _));
            await Task.Delay(RefusedWait);
            return;
        }

        foreach (Track track in tracks)
        {
            track.End(failure);
            _live.TryRemove(track, out _);
            if (variant.IsKept && track.IsFinished)
            {
                _kept.Enqueue(new KeptSession(track.SessionId, variant, Stopwatch.GetTimestamp()));
            }

            Interlocked.Increment(ref _finished);
            Interlocked.Add(ref _resumptions, (int)track.Resumptions);
            Interlocked.Add(ref _resumed, track.Resumptions > 0 ? 1 : 0);
        }
    }

    async Task WatchAsync(LoadClient client, string session, Variant variant, int sample, int from)
    {
        await Task.Yield();
        var track = new Track($"a viewer from {from}", client, variant.Reference[sample], variant.Prompt, from, violations);
        Exception? failure = null;
        try
        {
            await foreach (GenerateEvent happened in client.Calls.AttachAsync(new AttachRequest { SessionId = session, FromPosition = (uint)from, Stream = variant.Request.Stream }))
            {
                track.Take(happened);
            }
        }
        catch (Exception broken)
        {
            failure = broken;
        }

        track.End(failure);
        Interlocked.Increment(ref _watched);
    }
}
