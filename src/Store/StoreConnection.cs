using System.Globalization;
using System.Net.Sockets;
using System.Text;

namespace IgptCluster.Store;

/// <summary>A connection of the store to itself, by the way its clients take: what it tells is what they meet. One call at a time.</summary>
internal sealed class StoreConnection : IDisposable
{
    readonly Socket _socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
    readonly StreamReader _answers;
    readonly NetworkStream _stream;

    StoreConnection(string path)
    {
        _socket.Connect(new UnixDomainSocketEndPoint(path));
        _stream = new NetworkStream(_socket);
        _answers = new StreamReader(_stream, Encoding.ASCII);
    }

    /// <summary>Connects and authenticates.</summary>
    /// <param name="folder">The store's folder.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <exception cref="IOException">It does not answer, or refuses.</exception>
    internal static async Task<StoreConnection> OpenAsync(StoreFolder folder, CancellationToken cancellationToken)
    {
        StoreConnection connection;
        try
        {
            connection = new StoreConnection(folder.Socket);
        }
        catch (SocketException failure)
        {
            throw new IOException($"its socket does not answer: {failure.Message}", failure);
        }

        await connection.AskAsync(cancellationToken, "AUTH", folder.Password);
        return connection;
    }

    /// <summary>Asks for something short.</summary>
    /// <param name="cancellationToken">Gives up; the connection is of no use then.</param>
    /// <param name="words">Command and arguments, in ASCII.</param>
    /// <returns>The answer; null: there is none of that name.</returns>
    /// <exception cref="IOException">The store refuses, or has closed the connection.</exception>
    internal async Task<string?> AskAsync(CancellationToken cancellationToken, params string[] words)
    {
        string request = $"*{words.Length}\r\n" + string.Concat(words.Select(word => $"${word.Length}\r\n{word}\r\n"));
        await _stream.WriteAsync(Encoding.ASCII.GetBytes(request), cancellationToken);
        string answer = await LineAsync(cancellationToken);
        return answer[0] switch
        {
            '-' => throw new IOException($"it answers {words[0]} with '{answer[1..]}'"),
            '$' => int.Parse(answer[1..], CultureInfo.InvariantCulture) < 0 ? null : await LineAsync(cancellationToken),
            _ => answer[1..],
        };
    }

    async Task<string> LineAsync(CancellationToken cancellationToken) =>
        await _answers.ReadLineAsync(cancellationToken) is { Length: > 0 } line ? line : throw new IOException("it has closed the connection");

    /// <inheritdoc/>
    public void Dispose()
    {
        _answers.Dispose();
        _socket.Dispose();
    }
}
