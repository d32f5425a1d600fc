using IgptCluster.Contracts;
using IgptCluster.Grains.Sessions.State;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Serialization;
using Orleans.Storage;

namespace IgptCluster.Grains.Tests.Sessions;

public sealed class SessionRecordTests
{
    /// <summary>A record as the version before wrote it, when sessions were not a state machine yet.</summary>
    const string Before =
        "IOgg6EAHdG95IQAHAQUACQAN4AECAgEhASEh6IAAAAAAAADgPwEpgc3MzMzMzOw/AQ/gAQkhAAMh6AApAQ3g4AEFgQBe0LIAAAAAQQ9zb21lb25l4EENBQAGAP8BAQMh6AgDBUERYXMgYXNrZWQh6IAQJwAAAAAAAIEgTgAAAAAAAIEw"
        + "dQAAAAAAAIFAnAAAAAAAAAEF4OAhgACAtff1f58IgQAAAAAAAAAA4CHogBAnAAAAAAAAgQAAAAAAAAAAgQAAAAAAAAAAgQAAAAAAAAAAAQXgIehAQTAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm4AENIQAFQQVwMUAFcjHg"
        + "IYAAQB8iv4CfCIEAAAAAAAAAAOBBIREREREiIjMzRERVVVVVVVVBIWZmZmZ3d4iImZmqqqqqqqrg";

    [Fact]
    public void Deserialize_RecordOfTheVersionBefore_IsRead()
    {
        using ServiceProvider services = new ServiceCollection().AddSerializer().BuildServiceProvider();
        SessionRecord record = new OrleansGrainStorageSerializer(services.GetRequiredService<Serializer>()).Deserialize<SessionRecord>(BinaryData.FromBytes(Convert.FromBase64String(Before)))!;
        Assert.Equal(("toy", 64, 5UL + 2, "someone"), (record.Spec!.Model, record.Spec.EndPosition, record.Spec.Sampling.Seed, record.Spec.Client));
        Assert.Equal([1, 2, 3], record.Spec.Prompt);
        Assert.Equal([5, 6, 511], record.Unpack());
        Assert.Equal(["p1", "r1"], record.Operations);
        Assert.Equal(new SessionResult(SessionEnd.Length, "as asked", new SessionTimings(Milliseconds(1), Milliseconds(2), Milliseconds(3), Milliseconds(4), 1)), record.Result);
        Assert.Equal((true, 3, DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddDays(1)), (record.IsPaused, record.Rewinds, record.Created, record.Expires!.Value));
        Assert.Equal("0123456789abcdef0123456789abcdef", record.Parent!.Value.Value);
        Assert.Equal((Guid.Parse("11111111-2222-3333-4444-555555555555"), Guid.Parse("66666666-7777-8888-9999-aaaaaaaaaaaa")), (record.Writer, record.Attempt));
    }

    static TimeSpan Milliseconds(int count) => TimeSpan.FromMilliseconds(count);
}
