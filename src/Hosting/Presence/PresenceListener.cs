using System.Net;
using System.Net.Sockets;

namespace IgptCluster.Hosting.Presence;

/// <summary>
/// A port that says nothing: members of the cluster keep a connection to it open, and the system tells them at once when this process is gone, however it ended. Any thread.
/// </summary>
public sealed class PresenceListener : IDisposable
{
    const int MostConnections = 256;

    readonly TcpListener _listener;
    readonly CancellationTokenSource _stopping = new();
    int _connections;

    PresenceListener(TcpListener listener)
    {
        _listener = listener;
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        AcceptAsync().Ignore();
    }

    /// <summary>Members that watch it.</summary>
    internal int Connections => Volatile.Read(ref _connections);

    /// <summary>Its TCP port.</summary>
    public int Port { get; }

    /// <summary>Listens.</summary>
    /// <param name="address">The address to listen on.</param>
    /// <param name="port">TCP port; 0: a free one.</param>
    /// <exception cref="IOException">The port is taken.</exception>
    public static PresenceListener Open(IPAddress address, int port = 0)
    {
        var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
        }
        catch (SocketException taken)
        {
            listener.Dispose();
            throw new IOException($"Igpt:Cluster:PresencePort: must be free to listen on at {address}; given {port}: {taken.Message}. Give another, or 0 for a free one", taken);
        }

        return new PresenceListener(listener);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // Who waits holds on to the token: it has no timer, and needs no disposal.
        _stopping.Cancel();
        _listener.Dispose();
    }

    async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                HoldAsync(await _listener.AcceptSocketAsync(_stopping.Token)).Ignore();
            }
            catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // The process stops, or who connected has gone already.
            }
        }
    }

    /// <summary>Holds a connection until the other side ends it; what it sends is not read on.</summary>
    async Task HoldAsync(Socket connection)
    {
        using (connection)
        {
            try
            {
                if (Interlocked.Increment(ref _connections) <= MostConnections)
                {
                    await connection.ReceiveAsync(new byte[1], SocketFlags.None, _stopping.Token);
                }
            }
            catch (Exception ended) when (ended is OperationCanceledException or SocketException)
            {
                // The other side is gone.
            }
            finally
            {
                Interlocked.Decrement(ref _connections);
            }
        }
    }
}
