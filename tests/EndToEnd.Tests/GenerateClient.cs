using Grpc.Core;
using Grpc.Net.Client;
using IgptCluster.Protocol.V1;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>Reads a stream as a careful client does: every rule of the contract is checked on the way.</summary>
internal static class GenerateClient
{
    /// <summary>What one sample of a stream gave.</summary>
    public sealed class Sample
    {
        public string SessionId { get; set; } = "";

        public GenerationStarted? Started { get; set; }

        public List<int> Tokens { get; } = [];

        public List<byte> Rgb { get; } = [];

        public GenerationFinished? Finished { get; set; }
    }

    public static Task<Sample[]> GenerateAsync(GrpcChannel channel, GenerateRequest request, CancellationToken cancellationToken, Action<GenerateEvent>? each = null) =>
        ReadAsync(new ImageGpt.ImageGptClient(channel).Generate(request, cancellationToken: cancellationToken), each, cancellationToken);

    public static async Task<Sample[]> ReadAsync(AsyncServerStreamingCall<GenerateEvent> stream, Action<GenerateEvent>? each, CancellationToken cancellationToken)
    {
        using (stream)
        {
            return await ReadAsync(stream.ResponseStream.ReadAllAsync(cancellationToken), each);
        }
    }

    public static async Task<Sample[]> ReadAsync(IAsyncEnumerable<GenerateEvent> events, Action<GenerateEvent>? each)
    {
        var samples = new SortedDictionary<uint, Sample>();
        await foreach (GenerateEvent happened in events)
        {
            if (!samples.TryGetValue(happened.Sample, out Sample? sample))
            {
                Assert.Equal(GenerateEvent.EventOneofCase.Started, happened.EventCase);
                samples[happened.Sample] = sample = new Sample { SessionId = happened.SessionId, Started = happened.Started };
            }
            else
            {
                Take(sample, happened);
            }

            each?.Invoke(happened);
        }

        Assert.All(samples.Values, sample => Assert.True(sample.Finished is not null, "a stream ended well without 'finished'"));
        return [.. samples.Values];
    }

    static void Take(Sample sample, GenerateEvent happened)
    {
        Assert.True(sample.Finished is null, "an event after 'finished'");
        Assert.Equal(sample.SessionId, happened.SessionId);
        if (happened.EventCase == GenerateEvent.EventOneofCase.Finished)
        {
            sample.Finished = happened.Finished;
            return;
        }

        Assert.Equal(GenerateEvent.EventOneofCase.Tokens, happened.EventCase);
        Assert.Equal(sample.Started!.ResumedFrom + (uint)sample.Tokens.Count, happened.Tokens.Position);
        sample.Tokens.AddRange(happened.Tokens.Ids.Select(id => (int)id));
        sample.Rgb.AddRange(happened.Tokens.Rgb);
    }
}
