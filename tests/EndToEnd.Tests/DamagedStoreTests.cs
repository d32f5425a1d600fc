using IgptCluster.Tests.Shared;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A store whose folder is damaged: it has everything that was acknowledged, as it always has where only the last checkpoint is damaged, or it does not start and says why.</summary>
public sealed class DamagedStoreTests(DamagedStoreTests.Written written) : IClassFixture<DamagedStoreTests.Written>
{
    const int Damaged = 4;

    public enum Damage
    {
        Deleted,
        Emptied,
        CutToHalf,
        OneBitNearItsBeginning,
        OneBitInItsMiddle,
        OneBitNearItsEnd,
    }

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Damage.Deleted)]
    [InlineData(Damage.Emptied)]
    [InlineData(Damage.CutToHalf)]
    [InlineData(Damage.OneBitNearItsBeginning)]
    [InlineData(Damage.OneBitInItsMiddle)]
    [InlineData(Damage.OneBitNearItsEnd)]
    public async Task Store_AnyFileDamaged_HasAllRecordsOrRefusesToStart(Damage damage)
    {
        string[] files = written.Files();
        Assert.Contains(files, file => IsOfTheLastCheckpoint(file) && file.EndsWith("snapshot.obj.dat.0", StringComparison.Ordinal));
        Assert.Contains(files, file => file.StartsWith("kept/", StringComparison.Ordinal) && file.EndsWith("snapshot.obj.dat.0", StringComparison.Ordinal));
        Assert.Contains("log/Store/hlog_objs.0", files);
        int refused = 0;
        foreach (string file in files)
        {
            await using var store = new StoreFolderProcess();
            written.CopyTo(store.Folder);
            Harm(Path.Combine(store.Folder, file), damage);
            if (await store.TryStartAsync() is { } refusal)
            {
                refused++;
                Assert.Equal((file, Damaged), (file, refusal.Code));
                Assert.False(IsOfTheLastCheckpoint(file), refusal.Words);
                Assert.Contains(FileOrFolder(file), refusal.Words, StringComparison.Ordinal);
                Assert.Contains("--accept-loss", refusal.Words, StringComparison.Ordinal);
                Assert.Single(refusal.Words.TrimEnd().Split('\n'));

                // Nothing was changed by it.
                File.Copy(written.PathOf(file), Path.Combine(store.Folder, file), overwrite: true);
                await store.StartAsync();
            }

            await AssertWholeAsync(store, file);
            await store.KillAsync();
            if (IsOfTheLastCheckpoint(file))
            {
                AssertToldAndSetAside(store, file);
            }
        }

        Assert.InRange(refused, 2, files.Length - 1); // the password holds nothing
    }

    [Fact]
    public async Task Store_LastCheckpointDamagedAgainAndAgain_HasAllRecords()
    {
        await using var store = new StoreFolderProcess();
        written.CopyTo(store.Folder);
        for (int round = 0; round < 2; round++)
        {
            string checkpoints = Path.Combine(store.Folder, "data", "Store", "checkpoints");
            Harm(Directory.GetFiles(checkpoints, "snapshot.dat.0", SearchOption.AllDirectories).Single(), Damage.OneBitInItsMiddle);
            await store.StartAsync("--checkpoint-seconds", "1");
            using (StoreClient client = await store.ConnectAsync())
            {
                for (int before = 0; before < round; before++)
                {
                    Assert.Equal(Written.Value(before), await client.AskAsync("GET", $"round-{before}"));
                }

                Assert.Equal("OK", await client.AskAsync("SET", $"round-{round}", Written.Value(round)));
                long version = Written.VersionOf(store);
                await Written.UntilAsync(client, () => Written.VersionOf(store) > version);
            }

            await AssertWholeAsync(store, $"round {round}");
            await store.KillAsync();
            AssertToldAndSetAside(store, "snapshot.dat.0");
        }
    }

    [Fact]
    public async Task Store_KilledWhileItRestoresTheCheckpointBefore_RestoresItAgain()
    {
        await using var store = new StoreFolderProcess();
        written.CopyTo(store.Folder);
        string last = Directory.GetDirectories(Path.Combine(store.Folder, "data", "Store", "checkpoints", "cpr-checkpoints")).Single();
        File.Delete(Path.Combine(last, "snapshot.dat.0"));
        await store.StartAsync();
        await store.KillAsync();

        // What is written last is as it was: so is a folder whose store was killed before.
        foreach (string file in new[] { "manifest", "acknowledged" })
        {
            File.Copy(written.PathOf(file), Path.Combine(store.Folder, file), overwrite: true);
        }

        await store.StartAsync();
        await AssertWholeAsync(store, "again");
        await store.KillAsync();
        Assert.Contains("was damaged", store.Words, StringComparison.Ordinal);

        // As is one that had set the damaged checkpoint aside and no more.
        Directory.Delete(Path.Combine(store.Folder, "data", "Store"), recursive: true);
        File.Delete(Path.Combine(store.Folder, "manifest"));
        await store.StartAsync();
        await AssertWholeAsync(store, "once more");
    }

    [Fact]
    public async Task Silo_LastCheckpointOfItsStoreDamaged_TellsItOnceInItsLog()
    {
        await using var store = new StoreFolderProcess();
        written.CopyTo(store.Folder);
        File.Delete(Path.Combine(store.Folder, "manifest"));
        await using ServerProcess silo = await ServerProcess.StartSiloAsync("--model", Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random"), "--data", store.Folder);
        silo.Signal("TERM");
        Assert.Equal(0, await silo.EndAsync());
        Assert.Equal(2, silo.Output.Split("igpt-store: the last checkpoint in ").Length);
        Assert.Contains("manifest is missing", silo.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Store_EndOfTheLogCutBeforeItHadChecksums_RefusesToStart()
    {
        await using var store = new StoreFolderProcess();
        await store.StartAsync();
        using (StoreClient client = await store.ConnectAsync())
        {
            Assert.Equal("OK", await client.AskAsync("SET", "late", new string('x', 100_000)));
        }

        await store.KillAsync();
        long summed = store.Sealed("acknowledged")!.Value.GetProperty("Until").GetInt64();
        using (var log = new FileStream(Path.Combine(store.Folder, "data", "AOF", "aof.log.0"), FileMode.Open))
        {
            Assert.InRange(summed, 1, log.Length);
            log.SetLength(summed);
        }

        (int Code, string Words)? refusal = await store.TryStartAsync();
        Assert.Equal(Damaged, refusal?.Code);
        Assert.Contains("data/AOF/aof.log.0 has ", refusal!.Value.Words, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Store_KindOfARecordChangedBeforeItHadChecksums_NamesTheFileInItsOwnWords()
    {
        const string key = "the-last-record";
        const int headerBytes = 20; // before the key: Garnet's header of a record, and the key's length
        await using var store = new StoreFolderProcess();
        await store.StartAsync();
        using (StoreClient client = await store.ConnectAsync())
        {
            Assert.Equal("OK", await client.AskAsync("SET", key, "value"));
            Assert.Equal("1", await client.AskAsync("EXPIRE", key, "600"));
        }

        await store.KillAsync();
        string file = Path.Combine(store.Folder, "data", "AOF", "aof.log.0");
        byte[] log = await File.ReadAllBytesAsync(file, Cancelled);
        log[log.AsSpan().LastIndexOf(System.Text.Encoding.ASCII.GetBytes(key)) - headerBytes] ^= 4;
        await File.WriteAllBytesAsync(file, log, Cancelled);
        (int Code, string Words)? refusal = await store.TryStartAsync();
        Assert.Equal(Damaged, refusal?.Code);
        Assert.Contains("data/AOF/aof.log.0 is not what was written, ", refusal!.Value.Words, StringComparison.Ordinal);
        Assert.Contains("--accept-loss", refusal.Value.Words, StringComparison.Ordinal);
        Assert.Single(refusal.Value.Words.TrimEnd().Split('\n'));
    }

    [Fact]
    public async Task Store_BytesOfAnUnfinishedWriteAtTheEndOfTheLog_Starts()
    {
        await using var store = new StoreFolderProcess();
        await store.StartAsync();
        using (StoreClient client = await store.ConnectAsync())
        {
            Assert.Equal("OK", await client.AskAsync("SET", "early", "1"));
        }

        await store.KillAsync();
        await using (var log = new FileStream(Path.Combine(store.Folder, "data", "AOF", "aof.log.0"), FileMode.Append))
        {
            await log.WriteAsync(Enumerable.Repeat((byte)0x5A, 8192).ToArray(), Cancelled);
        }

        await store.StartAsync();
        using StoreClient again = await store.ConnectAsync();
        Assert.Equal("1", await again.AskAsync("GET", "early"));
    }

    [Fact]
    public async Task Store_LittleRoom_GivesUpTheCheckpointBeforeAndRefusesNothing()
    {
        // It may also be given up since writing outran the copy: that is another word.
        const string GivenUp = "room is low, so the checkpoint before the last one is not kept";
        await using var store = new StoreFolderProcess();
        await store.StartAsync("--memory", "16", "--max-disk", "256", "--checkpoint-seconds", "1");
        using (StoreClient client = await store.ConnectAsync())
        {
            string kept = Path.Combine(store.Folder, "kept");
            int record = 0;
            await Written.UntilAsync(client, () => Directory.EnumerateDirectories(kept).Any());
            await Written.UntilAsync(client, () => store.Words.Contains(GivenUp, StringComparison.Ordinal), () => $"filler-{record++}");
            Assert.Equal("", await client.AskAsync("GET", "igpt-store/room") ?? "");
        }

        await store.KillAsync();
        await store.StartAsync("--memory", "16", "--max-disk", "256");
    }

    [Fact]
    public async Task Store_FolderOfTheVersionBefore_IsServedAndGetsChecksums()
    {
        await using var store = new StoreFolderProcess();
        written.CopyTo(store.Folder);
        string number = store.Sealed("acknowledged")!.Value.GetProperty("Number").ToString();
        File.Delete(Path.Combine(store.Folder, "manifest"));
        Directory.Delete(Path.Combine(store.Folder, "kept"), recursive: true);
        await File.WriteAllTextAsync(Path.Combine(store.Folder, "acknowledged"), number, Cancelled);
        await store.StartAsync();
        using (StoreClient client = await store.ConnectAsync())
        {
            Assert.Equal(Written.Value(3), await client.AskAsync("HGET", "record-3", "data"));
        }

        await store.KillAsync();
        string token = Path.GetFileName(Directory.GetDirectories(Path.Combine(store.Folder, "data", "Store", "checkpoints", "cpr-checkpoints")).Single());
        File.Delete(Path.Combine(store.Folder, "data", "Store", "checkpoints", "index-checkpoints", token, "ht.dat.0"));
        Assert.Equal(Damaged, (await store.TryStartAsync())?.Code);
    }

    [Fact]
    public async Task Store_KilledBeforeACheckpointHasItsChecksums_HasAllRecords()
    {
        await using var store = new StoreFolderProcess();
        written.CopyTo(store.Folder);
        await store.StartAsync();
        using (StoreClient client = await store.ConnectAsync())
        {
            Assert.Equal("OK", await client.AskAsync("SET", "late", "1"));
            Assert.Equal("OK", await client.AskAsync("SAVE")); // Garnet's own: what the checkpoint before needed is removed
        }

        await store.KillAsync();
        await store.StartAsync();
        using StoreClient again = await store.ConnectAsync();
        Assert.Equal("1", await again.AskAsync("GET", "late"));
        Assert.Equal(Written.Value(7), await again.AskAsync("HGET", "record-7", "data"));
    }

    [Fact]
    public async Task Store_KilledAgainBeforeItsFirstCheckpoint_HasAllRecords()
    {
        await using var store = new StoreFolderProcess();
        written.CopyTo(store.Folder);
        await store.StartAsync("--checkpoint-seconds", "1");
        using (StoreClient client = await store.ConnectAsync())
        {
            long before = Written.VersionOf(store);
            await Written.UntilAsync(client, () => Written.VersionOf(store) > before); // with a hash table of its own, beside the one before
        }

        for (int start = 0; start < 2; start++)
        {
            await store.KillAsync();
            await store.StartAsync();
        }

        using StoreClient again = await store.ConnectAsync();
        Assert.Equal(Written.Value(7), await again.AskAsync("HGET", "record-7", "data"));
    }

    // Garnet leaves the hash table of the checkpoint before, too.
    bool IsOfTheLastCheckpoint(string file) => file == "manifest" || (file.StartsWith("data/Store/checkpoints/", StringComparison.Ordinal) && file.Contains(written.Token, StringComparison.Ordinal));

    static async Task AssertWholeAsync(StoreFolderProcess store, string harmed)
    {
        using StoreClient client = await store.ConnectAsync();
        for (int record = 0; record < Written.Records; record++)
        {
            Assert.Equal((harmed, Written.Value(record)), (harmed, await client.AskAsync("HGET", $"record-{record}", "data")));
        }
    }

    static void AssertToldAndSetAside(StoreFolderProcess store, string file)
    {
        string words = Assert.Single(store.Words.TrimEnd().Split('\n'));
        Assert.StartsWith($"igpt-store: the last checkpoint in {store.Folder} was damaged: ", words, StringComparison.Ordinal);
        Assert.Contains(Path.GetFileName(file), words, StringComparison.Ordinal);
        string aside = words[words.IndexOf(Path.Combine(store.Folder, "set-aside-"), StringComparison.Ordinal)..];
        Assert.NotEmpty(Directory.GetFiles(aside, "*", SearchOption.AllDirectories));
    }

    // A file of commits is known by its folder: its name changes with each write.
    static string FileOrFolder(string file) => file.Contains("log-commits", StringComparison.Ordinal) ? "log-commits" : file;

    static void Harm(string path, Damage damage)
    {
        long length = new FileInfo(path).Length;
        if (damage == Damage.Deleted)
        {
            File.Delete(path);
            return;
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.ReadWrite);
        if (damage is Damage.Emptied or Damage.CutToHalf)
        {
            file.SetLength(damage == Damage.Emptied ? 0 : length / 2);
            return;
        }

        file.Position = damage switch
        {
            Damage.OneBitNearItsBeginning => Math.Min(length / 10, 300),
            Damage.OneBitInItsMiddle => length / 2,
            _ => length - 1 - (length / 10),
        };
        int value = file.ReadByte();
        file.Position--;
        file.WriteByte((byte)(value ^ 1));
    }

    /// <summary>The folder of a store that was killed: some records are in files that checkpoints left, some in the last checkpoint alone, some in the append-only file alone.</summary>
    public sealed class Written : IAsyncLifetime
    {
        internal const int Records = 420;
        const int InTheEnd = 20;

        readonly StoreFolderProcess _store = new();

        internal static string Value(int record) => string.Concat(Enumerable.Repeat($"{record} ", 8000 * (1 + (record % 5))));

        internal string Token => Path.GetFileName(Directory.GetDirectories(PathOf("data/Store/checkpoints/cpr-checkpoints")).Single());

        internal string PathOf(string file) => Path.Combine(_store.Folder, file);

        internal string[] Files() =>
        [
            .. Directory.GetFiles(_store.Folder, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(_store.Folder, file))
                .Where(file => file is not ("lock" or "address.json") && !file.StartsWith("run", StringComparison.Ordinal)).Order(StringComparer.Ordinal),
        ];

        internal void CopyTo(string folder)
        {
            foreach (string file in Files())
            {
                Directory.CreateDirectory(Path.GetDirectoryName(Path.Combine(folder, file))!);
                File.Copy(PathOf(file), Path.Combine(folder, file));
            }
        }

        public async ValueTask InitializeAsync()
        {
            await _store.StartAsync("--memory", "16", "--checkpoint-seconds", "1");
            using StoreClient client = await _store.ConnectAsync();
            await WriteAsync(client, 0, Records - InTheEnd);
            for (int checkpoint = 0; checkpoint < 2; checkpoint++)
            {
                long before = VersionOf(_store);
                await UntilAsync(client, () => VersionOf(_store) > before);
            }

            await WriteAsync(client, Records - InTheEnd, Records);
            long number = Number();
            await UntilAsync(null, () => Number() > number + 1);
            await _store.KillAsync();
        }

        static async Task WriteAsync(StoreClient client, int from, int until)
        {
            for (int record = from; record < until; record++)
            {
                Assert.Equal("2", await client.AskAsync("HSET", $"record-{record}", "data", Value(record), "etag", "1"));
            }
        }

        internal static long VersionOf(StoreFolderProcess store) => store.Sealed("manifest")?.GetProperty("Version").GetInt64() ?? 0;

        long Number() => _store.Sealed("acknowledged")?.GetProperty("Number").GetInt64() ?? 0;

        // Checkpoints are taken while something is written.
        internal static async Task UntilAsync(StoreClient? client, Func<bool> holds, Func<string>? key = null)
        {
            using var tick = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
            limit.CancelAfter(TimeSpan.FromSeconds(90));
            while (!holds())
            {
                if (client is not null)
                {
                    Assert.Equal("OK", await client.AskAsync("SET", key?.Invoke() ?? "other", new string('x', 200_000)));
                }

                await tick.WaitForNextTickAsync(limit.Token);
            }
        }

        public ValueTask DisposeAsync() => _store.DisposeAsync();
    }
}
