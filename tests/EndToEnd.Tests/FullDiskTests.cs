using System.Diagnostics;

namespace IgptCluster.EndToEnd.Tests;

/// <summary>A store whose disk has no room at all: a disk of its own, of memory, which only root may mount.</summary>
public sealed class FullDiskTests
{
    [Fact]
    public async Task Store_StartedOnAFullDisk_EndsAndServesOnceThereIsRoom()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess && OperatingSystem.IsLinux(), "only root may mount a disk");
        await using var store = new StoreFolderProcess();
        Assert.SkipUnless(await RunAsync("mount", "-t", "tmpfs", "-o", "size=64m", "igpt-test", store.Folder) == 0, "this root may not mount a disk");
        try
        {
            await store.StartAsync();
            using (StoreClient client = await store.ConnectAsync())
            {
                Assert.Equal("OK", await client.AskAsync("SET", "early", "1"));
            }

            await store.KillAsync();
            string filler = Path.Combine(store.Folder, "filler");
            Fill(filler);
            (int Code, string Words)? refusal = await store.TryStartAsync();
            Assert.Equal(1, refusal?.Code);
            Assert.Contains("kB free", refusal!.Value.Words, StringComparison.Ordinal);
            Assert.Single(refusal.Value.Words.TrimEnd().Split('\n'));
            File.Delete(filler);
            await store.StartAsync();
            using (StoreClient client = await store.ConnectAsync())
            {
                Assert.Equal("1", await client.AskAsync("GET", "early"));
            }

            await store.KillAsync();
        }
        finally
        {
            await RunAsync("umount", "--lazy", store.Folder);
        }
    }

    static void Fill(string file)
    {
        using var filler = new FileStream(file, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
        byte[] block = new byte[1 << 20];
        for (int size = block.Length; size >= 1024;)
        {
            try
            {
                filler.Write(block.AsSpan(0, size));
            }
            catch (IOException)
            {
                size /= 4;
            }
        }
    }

    static async Task<int> RunAsync(string program, params string[] arguments)
    {
        try
        {
            using Process process = Process.Start(program, arguments);
            await process.WaitForExitAsync(CancellationToken.None);
            return process.ExitCode;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return -1;
        }
    }
}
