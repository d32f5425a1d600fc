using System.Net.Sockets;
using System.Text;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A connection to a folder's store. One call at a time.</summary>
internal sealed class StoreClient : IDisposable
{
    readonly Socket _socket;
    readonly NetworkStream _stream;

    StoreClient(Socket socket) => (_socket, _stream) = (socket, new NetworkStream(socket));

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    /// <summary>Connects, with the folder's password.</summary>
    public static async Task<StoreClient> ConnectAsync(string folder)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        await socket.ConnectAsync(new UnixDomainSocketEndPoint(Path.Combine(folder, "run", "store.sock")), Cancelled);
        var client = new StoreClient(socket);
        Assert.Equal("OK", await client.AskAsync("AUTH", await File.ReadAllTextAsync(Path.Combine(folder, "password"), Cancelled)));
        return client;
    }

    /// <summary>The answer to a command: what follows the sign of its kind, an error with its sign; null: nothing is there.</summary>
    public async Task<string?> AskAsync(params string[] command)
    {
        byte[] request = Encoding.ASCII.GetBytes($"*{command.Length}\r\n" + string.Concat(command.Select(part => $"${part.Length}\r\n{part}\r\n")));
        await _stream.WriteAsync(request, Cancelled);
        string line = await LineAsync();
        if (line[0] != '$')
        {
            return line[0] == '-' ? line : line[1..];
        }

        int length = int.Parse(line.AsSpan(1), System.Globalization.CultureInfo.InvariantCulture);
        if (length < 0)
        {
            return null;
        }

        byte[] value = new byte[length + 2];
        await _stream.ReadExactlyAsync(value, Cancelled);
        return Encoding.ASCII.GetString(value, 0, length);
    }

    async Task<string> LineAsync()
    {
        var line = new StringBuilder();
        byte[] one = new byte[1];
        for (; ; )
        {
            await _stream.ReadExactlyAsync(one, Cancelled);
            if (one[0] == '\n')
            {
                return line.ToString();
            }

            if (one[0] != '\r')
            {
                line.Append((char)one[0]);
            }
        }
    }

    public void Dispose()
    {
        _stream.Dispose();
        _socket.Dispose();
    }
}
