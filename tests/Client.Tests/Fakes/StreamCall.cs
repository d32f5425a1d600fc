using Google.Protobuf;
using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests.Fakes;

/// <summary>One Generate or Attach as the fake gateway sees it.</summary>
internal sealed record StreamCall(IMessage Request, IServerStreamWriter<GenerateEvent> Writer, ServerCallContext Context)
{
    internal AttachRequest Attach => (AttachRequest)Request;

    /// <summary>Which sample an attached session is.</summary>
    internal uint Sample => uint.Parse(Attach.SessionId["session".Length..], System.Globalization.CultureInfo.InvariantCulture);

    internal async Task SendAsync(params GenerateEvent[] events)
    {
        foreach (GenerateEvent happened in events)
        {
            await Writer.WriteAsync(happened, Context.CancellationToken);
        }
    }

    /// <summary>Until the client goes away.</summary>
    internal async Task HangAsync() => await Task.Delay(Timeout.Infinite, Context.CancellationToken);
}
