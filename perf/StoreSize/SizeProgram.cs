using System.Diagnostics;
using StackExchange.Redis;

namespace IgptCluster.StoreSize;

/// <summary>Fills a store as silos do, kills it, and looks what it has.</summary>
internal sealed class SizeProgram(int sessions, int heads, int sessionBytes)
{
    const int HeadBytes = 1 << 20;
    const int AtOnce = 200;
    static readonly TimeSpan Expiry = TimeSpan.FromDays(60);

    internal async Task<int> RunAsync(string? given, CancellationToken cancellationToken)
    {
        string folder = given ?? Directory.CreateTempSubdirectory("igpt-store-").FullName;
        try
        {
            await FillAsync(folder, cancellationToken);
            return await CompareAsync(folder, cancellationToken) == 0 ? 0 : 1;
        }
        finally
        {
            if (given is null)
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    async Task FillAsync(string folder, CancellationToken cancellationToken)
    {
        await using StoreRun store = await StoreRun.StartAsync(folder, cancellationToken);
        var watch = Stopwatch.StartNew();
        foreach (int[] some in Enumerable.Range(0, sessions).Chunk(AtOnce))
        {
            cancellationToken.ThrowIfCancellationRequested();
            await Task.WhenAll(some.Select(async session =>
            {
                await WriteAsync(store.Records, $"sessions/{session}", sessionBytes);
                await store.Records.KeyExpireAsync($"sessions/{session}", Expiry);
            }));
        }

        Console.WriteLine($"{sessions} sessions of {sessionBytes} bytes in {watch.Elapsed.TotalSeconds:0.0} s; memory {store.Resident} MB");
        watch.Restart();
        for (int head = 0; head < heads; head++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            await WriteAsync(store.Records, $"heads/{head}", HeadBytes);
        }

        Console.WriteLine($"{heads} heads of 1 MiB in {watch.Elapsed.TotalSeconds:0.0} s; memory {store.Resident} MB, at most {store.MostResident} MB; disk {DiskOf(folder)} MB; killed");
    }

    async Task<int> CompareAsync(string folder, CancellationToken cancellationToken)
    {
        await using StoreRun store = await StoreRun.StartAsync(folder, cancellationToken);
        Console.WriteLine($"started again in {store.StartTime.TotalSeconds:0.0} s; memory {store.Resident} MB, at most {store.MostResident} MB; disk {DiskOf(folder)} MB");
        int wrong = 0;
        IEnumerable<(string Name, int Bytes)> all = [.. Enumerable.Range(0, sessions).Select(session => ($"sessions/{session}", sessionBytes)), .. Enumerable.Range(0, heads).Select(head => ($"heads/{head}", HeadBytes))];
        foreach ((string Name, int Bytes)[] some in all.Chunk(AtOnce / 10))
        {
            cancellationToken.ThrowIfCancellationRequested();
            bool[] same = await Task.WhenAll(some.Select(async one => ((byte[]?)await store.Records.HashGetAsync(one.Name, "data")).AsSpan().SequenceEqual(ContentOf(one.Name, one.Bytes))));
            wrong += same.Count(one => !one);
        }

        Console.WriteLine($"{sessions + heads} records compared, {wrong} missing or changed; memory {store.Resident} MB, at most {store.MostResident} MB");
        return wrong;
    }

    static Task WriteAsync(IDatabase records, string name, int bytes) =>
        records.HashSetAsync(name, [new HashEntry("data", ContentOf(name, bytes)), new HashEntry("etag", "1")]);

    static byte[] ContentOf(string name, int bytes)
    {
        byte[] content = new byte[bytes];
        new Random((int)System.IO.Hashing.XxHash3.HashToUInt64(System.Text.Encoding.UTF8.GetBytes(name))).NextBytes(content);
        return content;
    }

    static long DiskOf(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(file => file.Length) >> 20;
}
