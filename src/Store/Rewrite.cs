using System.Net;
using System.Net.Sockets;
using IgptCluster.Store.Integrity;
using StackExchange.Redis;

namespace IgptCluster.Store;

/// <summary>
/// Writes a folder's records anew, without what was overwritten or deleted, before the folder is served: beside the old data, which is removed when the new is complete. A process that is
/// killed meanwhile leaves one or the other whole.
/// </summary>
/// <param name="folder">The store's folder.</param>
/// <param name="settings">How it is served.</param>
internal sealed class Rewrite(StoreFolder folder, StoreSettings settings)
{
    const int PageSize = 256;
    const long MaxLog = 64L << 20; // of the copy's append-only file

    string Begun => Path.Combine(folder.Root, "new");

    string Done => Path.Combine(folder.Root, "newer");

    /// <summary>Completes one that was done when the process was killed, forgets one that was not, and does one that is asked for.</summary>
    /// <param name="last">What was acknowledged.</param>
    /// <returns>What is acknowledged of what is there now.</returns>
    /// <exception cref="IOException">The copy cannot be written.</exception>
    internal async Task<Acknowledged> RunAsync(Acknowledged last)
    {
        if (!File.Exists(folder.Wanted))
        {
            return last;
        }

        File.Delete(folder.Wanted);
        using (StoreFolder copy = StoreFolder.TryOpen(Begun) ?? throw new IOException($"{Begun} is in use"))
        {
            last = await CopyAsync(copy, last);
        }

        Directory.Move(Begun, Done);
        Finish();
        return last;
    }

    /// <summary>Completes one that was done, and forgets one that was not.</summary>
    internal void Finish()
    {
        if (Directory.Exists(Done))
        {
            foreach (string name in StoreFolder.DataNames.Where(name => Path.Exists(Path.Combine(Done, name))))
            {
                Remove(Path.Combine(folder.Root, name));
                Directory.Move(Path.Combine(Done, name), Path.Combine(folder.Root, name));
            }

            Remove(Done);
        }

        Remove(Begun);
    }

    async Task<Acknowledged> CopyAsync(StoreFolder copy, Acknowledged last)
    {
        string aside = Path.Combine(Path.GetDirectoryName(copy.Socket)!, "old.sock"); // no client is to find it
        using var from = new StoreServer(GarnetSettings.For(folder, null, settings.Memory, aside));
        from.Start();
        using var to = new StoreServer(GarnetSettings.For(copy, null, settings.Memory));
        to.Start();
        long keys = 0;
        await using (ConnectionMultiplexer source = await ConnectAsync(aside, folder.Password))
        await using (ConnectionMultiplexer target = await ConnectAsync(copy.Socket, copy.Password))
        {
            await foreach (RedisKey[] page in source.GetServers()[0].KeysAsync(pageSize: PageSize).Chunk(PageSize))
            {
                await Task.WhenAll(page.Select(key => CopyAsync(source.GetDatabase(), target.GetDatabase(), key)));
                keys += page.Length;
                if (to.Committed - to.Begin > MaxLog)
                {
                    await RequireAsync(to.CheckpointAsync());
                }
            }

            await RequireAsync(to.CheckpointAsync());
        }

        CheckpointInfo newest = CheckpointInfo.Newest(copy) ?? throw new IOException("the copy's checkpoint is not there");
        var manifest = CheckpointManifest.Measure(copy, newest, CheckpointManifest.Empty);
        SealedFile.Write(copy.Manifest, manifest);
        var acknowledged = new Acknowledged(last.Number, manifest.Version, to.Committed, [.. StoreFolder.AppendOnly.Measure(copy.Root, to.Begin, to.Committed, null)]);
        SealedFile.Write(copy.Acknowledged, acknowledged);
        SealedFile.Write(copy.Note, new RewriteNote(Room.Of(copy, settings.MaxDisk).Used, keys));
        return acknowledged;
    }

    static async Task CopyAsync(IDatabase from, IDatabase to, RedisKey key)
    {
        switch (await from.KeyTypeAsync(key))
        {
            case RedisType.Hash:
                await to.HashSetAsync(key, await from.HashGetAllAsync(key));
                break;
            case RedisType.String:
                await to.StringSetAsync(key, await from.StringGetAsync(key));
                break;
            case RedisType.SortedSet: // reminders
                await to.SortedSetAddAsync(key, await from.SortedSetRangeByRankWithScoresAsync(key));
                break;
            case RedisType.None: // it has expired since
                return;
            case var other:
                throw new IOException($"entry {key} is of a kind that is not rewritten: {other}");
        }

        if (await from.KeyTimeToLiveAsync(key) is { } left)
        {
            await to.KeyExpireAsync(key, left);
        }
    }

    static async Task RequireAsync(Task<bool> checkpoint)
    {
        if (!await checkpoint)
        {
            throw new IOException("the copy's checkpoint could not be written");
        }
    }

    static Task<ConnectionMultiplexer> ConnectAsync(string socket, string password)
    {
        var options = new ConfigurationOptions { Password = password, AllowAdmin = true, SyncTimeout = 60_000, AsyncTimeout = 60_000 };
        options.EndPoints.Add((EndPoint)new UnixDomainSocketEndPoint(socket));
        return ConnectionMultiplexer.ConnectAsync(options);
    }

    static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            File.Delete(path);
        }
    }
}
