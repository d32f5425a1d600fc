using IgptCluster.Hosting.Settings;
using StackExchange.Redis;

namespace IgptCluster.Gateway.Tests;

/// <summary>How a silo's and a gateway's command ends.</summary>
public sealed class NodeCommandTests
{
    [Fact]
    public async Task Run_StoreGoesAwayWhileItStarts_SaysSoInOneLineAndExitsWithOne()
    {
        TextWriter before = Console.Error;
        var said = new StringWriter();
        Console.SetError(said);
        try
        {
            var command = new NodeCommand("igpt silo", "Serves.");
            int code = await command.RunAsync(
                [], (_, _, _) => throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "no connection became available (5000ms) - Last Connection Exception: many\nlines"));
            Assert.Equal(1, code);
        }
        finally
        {
            Console.SetError(before);
        }

        string line = Assert.Single(said.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries), line => line.StartsWith("igpt silo: ", StringComparison.Ordinal));
        Assert.Equal("igpt silo: the cluster's store went away while this process was starting: no connection became available (5000ms). Start the process again when the store answers", line.TrimEnd());
        Assert.DoesNotContain("a bug", said.ToString(), StringComparison.Ordinal);
    }
}
