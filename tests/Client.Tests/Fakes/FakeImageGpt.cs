using Grpc.Core;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Client.Tests.Fakes;

internal sealed class FakeImageGpt(FakeCluster cluster) : ImageGpt.ImageGptBase
{
    public override Task<ClassifyResponse> Classify(ClassifyRequest request, ServerCallContext context) => cluster.AnswerAsync(request, context, new ClassifyResponse());

    public override Task Generate(GenerateRequest request, IServerStreamWriter<GenerateEvent> responseStream, ServerCallContext context) =>
        cluster.StreamAsync(new StreamCall(request, responseStream, context), async call =>
        {
            uint[] samples = [.. Enumerable.Range(0, (int)Math.Max(1, request.Samples)).Select(sample => (uint)sample)];
            await call.SendAsync([.. samples.Select(sample => FakeCluster.Started(sample))]);
            for (uint position = 0; position < FakeCluster.Pixels; position++)
            {
                await call.SendAsync([.. samples.Select(sample => FakeCluster.Tokens(sample, position, 1))]);
            }

            await call.SendAsync([.. samples.Select(sample => FakeCluster.Finished(sample))]);
        });
}
