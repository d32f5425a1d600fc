using System.Net.Sockets;
using System.Text;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>The embedded store beside the clients of a whole cluster.</summary>
public sealed class StoreTests
{
    const int Clients = 64;
    const int WritesOfEach = 20;

    static readonly TimeSpan GiveUp = TimeSpan.FromSeconds(5); // as its real clients do
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task Store_ManyClientsThatComeAtOnceAndGiveUp_AreAllAnswered()
    {
        await using StoreProcess store = await StoreProcess.StartAsync();
        string[] address = store.Address.Split([":", ",password="], StringSplitOptions.None);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        limit.CancelAfter(Limit);
        await Task.WhenAll(Enumerable.Range(0, Clients).Select(client => WriteAsync(client, address, limit.Token)));
    }

    // Connects again until all is written.
    static async Task WriteAsync(int client, string[] address, CancellationToken limit)
    {
        for (int written = 0; written < WritesOfEach;)
        {
            limit.ThrowIfCancellationRequested();
            try
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(address[0], int.Parse(address[1], System.Globalization.CultureInfo.InvariantCulture), limit);
                await AskAsync(socket, limit, "AUTH", address[2]);
                for (; written < WritesOfEach; written++)
                {
                    await AskAsync(socket, limit, "SET", $"{client}-{written}", new string('x', 1000));
                }
            }
            catch (Exception failure) when (failure is TimeoutException or SocketException)
            {
                // Tries again.
            }
        }
    }

    static async Task AskAsync(Socket socket, CancellationToken limit, params string[] command)
    {
        string request = $"*{command.Length}\r\n" + string.Concat(command.Select(part => $"${part.Length}\r\n{part}\r\n"));
        await socket.SendAsync(Encoding.ASCII.GetBytes(request), limit);
        byte[] answer = new byte[256];
        int length = await socket.ReceiveAsync(answer, limit).AsTask().WaitAsync(GiveUp, limit);
        Assert.Equal("+OK\r\n", Encoding.ASCII.GetString(answer, 0, length));
    }
}
