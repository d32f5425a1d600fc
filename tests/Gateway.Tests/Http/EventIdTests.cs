using IgptCluster.Contracts;
using IgptCluster.Gateway.Generations;
using IgptCluster.Gateway.Http.Streams;
using IgptCluster.Protocol.V1;
using Microsoft.AspNetCore.Http;

namespace IgptCluster.Gateway.Tests.Http;

public sealed class EventIdTests
{
    [Fact]
    public void Tell_OneSample_IsThePositionBehindTheLastToken()
    {
        var id = EventId.Nothing(1);
        id.Tell(0, new GenerateEvent { Started = new GenerationStarted { ResumedFrom = 512 } });
        Assert.Equal("512", id.ToString());
        id.Tell(0, new GenerateEvent { Tokens = new GeneratedTokens { Position = 512, Ids = { 1, 2, 3 } } });
        Assert.Equal("515", id.ToString());
        id.Tell(0, new GenerateEvent { Finished = new GenerationFinished() });
        Assert.Equal("515f", id.ToString());
        Assert.True(id.IsFinished);
    }

    [Fact]
    public void Tell_SeveralSamples_HasAPlaceForEach()
    {
        var id = EventId.Nothing(3);
        id.Tell(1, new GenerateEvent { Started = new GenerationStarted { ResumedFrom = 4, Rewinds = 2 } });
        id.Tell(2, new GenerateEvent { Started = new GenerationStarted() });
        id.Tell(2, new GenerateEvent { Tokens = new GeneratedTokens { Ids = { 7 } } });
        id.Tell(2, new GenerateEvent { Finished = new GenerationFinished() });
        Assert.Equal(",4r2,1f", id.ToString());
        Assert.False(id.IsFinished);
        Assert.Equal([null, new ToldSample(4, 2), new ToldSample(1, 0, true)], Of(",4r2,1f")!.Samples);
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("-1")]
    [InlineData("1r")]
    [InlineData("1r2r3")]
    [InlineData("f")]
    [InlineData("1 2")]
    [InlineData("99999999999")]
    public void Of_NoIdOfOurs_IsRefused(string text) => Assert.Equal(IgptErrorCode.InvalidArgument, Assert.Throws<IgptException>(() => Of(text)).Code);

    [Fact]
    public void Of_MoreSamplesThanAny_IsRefused() => Assert.Throws<IgptException>(() => Of(new string(',', 5000)));

    [Fact]
    public void Of_NoHeader_IsNone() => Assert.Null(Of(""));

    static EventId? Of(string text) => EventId.Of(new DefaultHttpContext { Request = { Headers = { [EventId.Header] = text } } }.Request);
}
