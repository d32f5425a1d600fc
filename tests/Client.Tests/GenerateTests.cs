using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using IgptCluster.Client.Tests.Fakes;
using IgptCluster.Protocol.V1;
using static IgptCluster.Client.Tests.Fakes.FakeCluster;

namespace IgptCluster.Client.Tests;

/// <summary>One enumeration gives every token exactly once, whatever breaks.</summary>
public sealed class GenerateTests : ClientTest
{
    [Fact]
    public async Task Generate_Undisturbed_SendsOperationIdAndTimeToLiveAndLeavesTheRequestAsItIs()
    {
        var request = new GenerateRequest { Samples = 3 };
        var events = new List<GenerateEvent>();
        await foreach (GenerateEvent happened in Client.GenerateAsync(request, cancellationToken: Cancelled))
        {
            events.Add(happened);
        }

        AssertExactlyOnce(events, samples: 3);
        Assert.Equal(new GenerateRequest { Samples = 3 }, request);
        GenerateRequest sent = Assert.IsType<GenerateRequest>(Assert.Single(Fake.Requests));
        Assert.Equal(32, sent.OperationId.Length);
        Assert.Equal(TimeSpan.FromMinutes(5), sent.SessionTtl.ToTimeSpan());
        Assert.Empty(Notices);
    }

    [Fact]
    public async Task Generate_IdAndTimeToLiveGiven_AreKept()
    {
        var request = new GenerateRequest { OperationId = "mine-mine-mine-mine", SessionTtl = new Duration() };
        await foreach (GenerateEvent _ in Client.GenerateAsync(request, cancellationToken: Cancelled))
        {
        }

        Assert.Equal(request, Assert.Single(Fake.Requests));
    }

    [Fact]
    public async Task Generate_EndsWithoutFinished_AttachesAtTheOtherGatewayFromWhereEachSampleWas()
    {
        Fake.Streams.Enqueue(call => call.SendAsync(Started(0, rewinds: 2), Started(1, rewinds: 3), Tokens(0, 0, 5), Tokens(1, 0, 3), Tokens(1, 3, 1)));
        AssertExactlyOnce(await GenerateAsync(samples: 2), samples: 2);
        Assert.Equal(
            [(SessionOf(0), 5u, 2u), (SessionOf(1), 4u, 3u)],
            Fake.Seen<AttachRequest>().Select(attach => (attach.SessionId, attach.FromPosition, attach.Rewinds)).Order());
        Assert.Equal([Gateways[0].Address.Authority, Gateways[1].Address.Authority, Gateways[1].Address.Authority], Fake.Hosts);
        Assert.Single(Notices);
    }

    [Fact]
    public async Task Generate_ConnectionTornAmidTokens_GoesOn()
    {
        var seen = new TaskCompletionSource();
        Fake.Streams.Enqueue(async call =>
        {
            await call.SendAsync(Started(), Tokens(0, 0, 7));
            await seen.Task;
            FakeGateway.Tear(call.Context);
        });
        var events = new List<GenerateEvent>();
        await foreach (GenerateEvent happened in Client.GenerateAsync(new GenerateRequest(), cancellationToken: Cancelled))
        {
            events.Add(happened);
            if (happened.Tokens is not null)
            {
                seen.TrySetResult();
            }
        }

        AssertExactlyOnce(events);
        Assert.Equal(7u, Assert.Single(Fake.Seen<AttachRequest>()).FromPosition);
    }

    [Fact]
    public async Task Generate_BrokenBeforeAllStarted_IsCalledAgainWithItsOperationId()
    {
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Unavailable));
        Fake.Streams.Enqueue(call => call.SendAsync(Started(0)));
        Fake.Streams.Enqueue(call => call.SendAsync(Started(0), Tokens(0, 0, 4)));
        AssertExactlyOnce(await GenerateAsync(samples: 2), samples: 2);
        Assert.Equal(4, Fake.Seen<GenerateRequest>().Count());
        Assert.Single(Fake.Seen<GenerateRequest>().Select(request => request.OperationId).Distinct());
        Assert.Empty(Fake.Seen<AttachRequest>());
    }

    [Fact]
    public async Task Generate_BrokenOnceAllStarted_IsNotStartedTwice()
    {
        Fake.Streams.Enqueue(call => call.SendAsync(Started()));
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Unavailable));
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Cancelled));
        AssertExactlyOnce(await GenerateAsync());
        Assert.Single(Fake.Seen<GenerateRequest>());
        Assert.Equal(3, Fake.Seen<AttachRequest>().Count());
    }

    [Fact]
    public async Task Generate_ReplayFromBefore_GivesOnlyWhatIsNew()
    {
        Fake.Streams.Enqueue(call => call.SendAsync(Started(), Tokens(0, 0, 6)));
        Fake.Streams.Enqueue(call => call.SendAsync(Started(), Tokens(0, 0, 4), Tokens(0, 4, 6), Tokens(0, 8, 1), Tokens(0, 10, 6), Finished(), Finished()));
        List<GenerateEvent> events = await GenerateAsync();
        AssertExactlyOnce(events);
        Assert.Equal((6u, 4), (events[2].Tokens.Position, events[2].Tokens.Ids.Count));
    }

    [Fact]
    public async Task Generate_FinishedAndThenBroken_IsDone()
    {
        Fake.Streams.Enqueue(async call =>
        {
            await call.SendAsync(Started(), Tokens(0, 0, Pixels), Finished());
            throw Refusal(StatusCode.Internal);
        });
        AssertExactlyOnce(await GenerateAsync());
        Assert.Single(Fake.Requests);
    }

    public static TheoryData<string, StatusCode, string> Broken => new()
    {
        { "tokens are missing", StatusCode.DataLoss, "position 3, and 2" },
        { "replay differs", StatusCode.DataLoss, "asked again" },
        { "finished too early", StatusCode.DataLoss, "position 16, and 2" },
        { "no started", StatusCode.DataLoss, "not 'started'" },
        { "one sample too many", StatusCode.DataLoss, "sample 7" },
        { "another session", StatusCode.DataLoss, "session other" },
        { "rewound", StatusCode.Aborted, "rewound" },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public async Task Generate_StreamBreaksItsRules_IsAnErrorAndNothingWrongIsGiven(string how, StatusCode expected, string words)
    {
        GenerateEvent other = Tokens(0, 2, 1);
        other.SessionId = "other";
        GenerateEvent differs = Tokens(0, 1, 1);
        differs.Tokens.Ids[0]++;
        GenerateEvent[] next = how switch
        {
            "tokens are missing" => [Tokens(0, 3, 1)],
            "replay differs" => [differs],
            "finished too early" => [Finished()],
            "one sample too many" => [Started(7)],
            "another session" => [other],
            "rewound" => [Started(0, rewinds: 1)],
            _ => [],
        };
        Fake.Streams.Enqueue(call => call.SendAsync(how == "no started" ? [Tokens(0, 0, 1)] : [Started(), Tokens(0, 0, 2), .. next, Tokens(0, 2, Pixels - 2), Finished()]));
        int given = 0;
        RpcException failure = await FailureAsync(expected, async () =>
        {
            await foreach (GenerateEvent _ in Client.GenerateAsync(new GenerateRequest(), cancellationToken: Cancelled))
            {
                given++;
            }
        });
        Assert.Contains(words, failure.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(how == "no started" ? 0 : 2, given);
        Assert.Single(Fake.Requests);
    }

    [Theory]
    [InlineData(StatusCode.InvalidArgument)]
    [InlineData(StatusCode.NotFound)]
    [InlineData(StatusCode.FailedPrecondition)]
    [InlineData(StatusCode.Aborted)]
    [InlineData(StatusCode.Unauthenticated)]
    [InlineData(StatusCode.PermissionDenied)]
    [InlineData(StatusCode.Unimplemented)]
    [InlineData(StatusCode.Internal)]
    [InlineData(StatusCode.ResourceExhausted)]
    public async Task Generate_FinalRefusal_IsToldAtOnce(StatusCode code)
    {
        Fake.Streams.Enqueue(_ => throw Refusal(code));
        await FailureAsync(code, () => GenerateAsync());
        Fake.Streams.Enqueue(call => call.SendAsync(Started()));
        Fake.Streams.Enqueue(_ => throw Refusal(code));
        await FailureAsync(code, () => GenerateAsync());
        Assert.Equal(3, Fake.Requests.Count);
    }

    [Fact]
    public async Task Generate_NoRoom_WaitsAsLongAsTheServerSaysAtTheSameGateway()
    {
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.ResourceExhausted, TimeSpan.FromSeconds(7)));
        AssertExactlyOnce(await GenerateAsync());
        Assert.InRange(Assert.Single(Time.Waits).TotalSeconds, 7, 7.1);
        Assert.Single(Fake.Hosts.Distinct());
    }

    [Fact]
    public async Task Generate_DeadlinePasses_IsToldAndSessionsAreLeftToTheServer()
    {
        Fake.Streams.Enqueue(async call =>
        {
            await call.SendAsync(Started(), Tokens(0, 0, 1));
            await call.HangAsync();
        });
        var events = new List<GenerateEvent>();
        await FailureAsync(StatusCode.DeadlineExceeded, async () =>
        {
            await foreach (GenerateEvent happened in Client.GenerateAsync(new GenerateRequest(), DateTime.UtcNow.AddMilliseconds(300), Cancelled))
            {
                events.Add(happened);
            }
        });
        Assert.Empty(Fake.Seen<CancelSessionRequest>());
    }

    [Fact]
    public async Task Generate_DeadlineBeforeTheNextAttempt_IsNotWaitedFor()
    {
        Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Unavailable, TimeSpan.FromSeconds(90)));
        RpcException failure = await FailureAsync(StatusCode.DeadlineExceeded, async () =>
        {
            await foreach (GenerateEvent _ in Client.GenerateAsync(new GenerateRequest(), DateTime.UtcNow.AddSeconds(60), Cancelled))
            {
            }
        });
        Assert.Contains("refused: Unavailable", failure.Status.Detail, StringComparison.Ordinal);
        Assert.Empty(Time.Waits);
    }

    [Theory]
    [InlineData(false, false, 2)]
    [InlineData(true, false, 2)]
    [InlineData(false, true, 0)]
    [InlineData(true, true, 0)]
    public async Task Generate_LeftBeforeItsEnd_CancelsSessionsUnlessTheCallerGaveThemATimeToLive(bool byToken, bool givesTimeToLive, int cancelled)
    {
        Fake.Streams.Enqueue(async call =>
        {
            await call.SendAsync(Started(0), Started(1), Started(2), Tokens(2, 0, Pixels), Finished(2));
            await call.HangAsync();
        });
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        var request = new GenerateRequest { Samples = 3, SessionTtl = givesTimeToLive ? Duration.FromTimeSpan(TimeSpan.FromHours(1)) : null };
        async Task ReadAsync()
        {
            await foreach (GenerateEvent happened in Client.GenerateAsync(request, cancellationToken: leave.Token))
            {
                if (happened.Finished is null)
                {
                    continue;
                }

                if (!byToken)
                {
                    return;
                }

                await leave.CancelAsync();
            }
        }

        await (byToken ? Assert.ThrowsAnyAsync<OperationCanceledException>(ReadAsync) : ReadAsync());
        string[] expected = [SessionOf(0), SessionOf(1)];
        Assert.Equal(expected[..cancelled], Fake.Seen<CancelSessionRequest>().Select(request => request.SessionId).Order());
    }

    [Fact]
    public async Task Generate_NobodyAnswersForTheLimit_GivesUpWithTheLastFailure()
    {
        for (int i = 0; i < 1000; i++)
        {
            Fake.Streams.Enqueue(_ => throw Refusal(StatusCode.Unavailable));
        }

        await FailureAsync(StatusCode.Unavailable, () => GenerateAsync());
        Assert.InRange(Time.Passed, TimeSpan.FromSeconds(114), TimeSpan.FromSeconds(120));
    }

    /// <summary>Every way of breaking at every place, by chance but always the same.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Generate_AnyMixtureOfBreaks_GivesEveryTokenOnce(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 10; round++)
        {
            for (int i = 0; i < 12; i++)
            {
                (int way, uint end, uint before) = (random.Next(4), (uint)random.Next(Pixels), (uint)random.Next(3));
                Fake.Streams.Enqueue(call => BreakAsync(call, way, end, before));
            }

            AssertExactlyOnce(await GenerateAsync(samples: 3), samples: 3);
            Fake.Streams.Clear();
        }
    }

    static async Task BreakAsync(StreamCall call, int way, uint end, uint before)
    {
        if (call.Request is AttachRequest attach)
        {
            uint from = attach.FromPosition - Math.Min(before, attach.FromPosition);
            await call.SendAsync(Started(call.Sample, from: from), Tokens(call.Sample, from, Math.Min(end, Pixels - from)));
        }
        else if (end > 0)
        {
            await call.SendAsync(Started(0), Started(1), Tokens(0, 0, end));
            await call.SendAsync(end % 2 == 0 ? [Started(2), Tokens(2, 0, end), Tokens(1, 0, end)] : []);
        }

        switch (way)
        {
            case 0:
                throw Refusal(StatusCode.Unavailable);
            case 1:
                FakeGateway.Tear(call.Context);
                break;
            case 2:
                call.Context.GetHttpContext().Abort();
                break;
        }
    }
}
