using System.Collections.Concurrent;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Google.Rpc;
using Grpc.Core;
using IgptCluster.Protocol.V1;
using Status = Google.Rpc.Status;

namespace IgptCluster.Client.Tests.Fakes;

/// <summary>What the fake gateways do and saw: scripts are taken one per call, then every call goes well.</summary>
internal sealed class FakeCluster
{
    /// <summary>Pixels of each image.</summary>
    internal const int Pixels = 16;

    /// <summary>Called in place of the next streams.</summary>
    internal ConcurrentQueue<Func<StreamCall, Task>> Streams { get; } = new();

    /// <summary>Called before the next unary calls are answered; they may throw.</summary>
    internal ConcurrentQueue<Func<ServerCallContext, Task>> Unary { get; } = new();

    /// <summary>All requests in their order.</summary>
    internal ConcurrentQueue<IMessage> Requests { get; } = new();

    /// <summary>Addresses that were called, by request.</summary>
    internal ConcurrentQueue<string> Hosts { get; } = new();

    internal IEnumerable<T> Seen<T>() => Requests.OfType<T>();

    internal void Record(IMessage request, ServerCallContext context)
    {
        Requests.Enqueue(request);
        Hosts.Enqueue(context.Host);
    }

    internal async Task<T> AnswerAsync<T>(IMessage request, ServerCallContext context, T answer)
    {
        Record(request, context);
        if (Unary.TryDequeue(out Func<ServerCallContext, Task>? script))
        {
            await script(context);
        }

        return answer;
    }

    internal async Task StreamAsync(StreamCall call, Func<StreamCall, Task> otherwise)
    {
        Record(call.Request, call.Context);
        await (Streams.TryDequeue(out Func<StreamCall, Task>? script) ? script(call) : otherwise(call));
    }

    internal static string SessionOf(uint sample) => $"session{sample}";

    internal static uint Colour(uint sample, uint position) => (position * 31 + sample * 7) % 512;

    internal static GenerateEvent Started(uint sample = 0, uint rewinds = 0, uint from = 0) => new()
    {
        SessionId = SessionOf(sample),
        Sample = sample,
        Started = new GenerationStarted { Model = "fake", Width = 4, Height = Pixels / 4, ResumedFrom = from, Rewinds = rewinds },
    };

    internal static GenerateEvent Tokens(uint sample, uint from, uint count) => new()
    {
        SessionId = SessionOf(sample),
        Sample = sample,
        Tokens = new GeneratedTokens
        {
            Position = from,
            Ids = { Enumerable.Range((int)from, (int)count).Select(position => Colour(sample, (uint)position)) },
            Rgb = ByteString.CopyFrom([.. Enumerable.Range((int)from * 3, (int)count * 3).Select(value => (byte)value)]),
        },
    };

    internal static GenerateEvent Finished(uint sample = 0, uint tokens = Pixels) => new()
    {
        SessionId = SessionOf(sample),
        Sample = sample,
        Finished = new GenerationFinished { Reason = FinishReason.Completed, Usage = new Usage { GeneratedTokens = tokens } },
    };

    /// <summary>A refusal as the gateway tells it.</summary>
    internal static RpcException Refusal(StatusCode code, TimeSpan? retryAfter = null)
    {
        var status = new Status { Code = (int)code, Message = $"refused: {code}" };
        status.Details.Add(Any.Pack(new ErrorInfo { Domain = "igpt", Reason = "FAKE" }));
        if (retryAfter is { } delay)
        {
            status.Details.Add(Any.Pack(new RetryInfo { RetryDelay = Duration.FromTimeSpan(delay) }));
        }

        return status.ToRpcException();
    }
}
