using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Training.Commands;
using IgptCluster.Training.Data;

namespace IgptCluster.Training.Tests;

public sealed class DataTests
{
    static readonly byte[] Picture = PngEncoder.Encode(new RgbImage(4, 4, new byte[48]));

    [Fact]
    public void Load_ClassFolders_GivesLabelsInTheOrderOfNames()
    {
        using var folder = new TemporaryFolder();
        Put(folder["b/1.png"], Picture);
        Put(folder["a/2.png"], Picture);
        Put(folder["a/1.png"], Picture);
        Put(folder["a/notes.txt"], Picture);
        TokenDataset data = Load(folder.Path, needsClasses: true);
        Assert.Equal(["a", "b"], data.Classes);
        Assert.Equal([0, 0, 1], data.Labels);
        Assert.Equal(16, data[0].Length);
    }

    [Fact]
    public void Open_NoFolder_NamesItAndTheCure() => Refused(() => ImageFolder.Open("/nowhere/images"), "/nowhere/images", "igpt-train shapes");

    [Fact]
    public void Open_NothingInside_SaysWhatIsAccepted()
    {
        using var folder = new TemporaryFolder();
        Refused(() => ImageFolder.Open(folder.Path), folder.Path, ".png");
    }

    [Fact]
    public void Open_EmptyClass_NamesIt()
    {
        using var folder = new TemporaryFolder();
        Put(folder["a/1.png"], Picture);
        Directory.CreateDirectory(folder["b"]);
        Refused(() => ImageFolder.Open(folder.Path), folder["b"]);
    }

    [Fact]
    public void Open_ImagesBesideClasses_NamesOne()
    {
        using var folder = new TemporaryFolder();
        Put(folder["a/1.png"], Picture);
        Put(folder["stray.png"], Picture);
        Refused(() => ImageFolder.Open(folder.Path), folder["stray.png"]);
    }

    [Fact]
    public void Open_ClassesNeeded_RefusesPlainFoldersAndSingleClasses()
    {
        using var folder = new TemporaryFolder();
        Put(folder["plain/1.png"], Picture);
        Put(folder["one/a/1.png"], Picture);
        Refused(() => ImageFolder.Open(folder["plain"], needsClasses: true), folder["plain/1.png"]);
        Refused(() => ImageFolder.Open(folder["one"], needsClasses: true), "two class folders");
        Assert.Equal([-1], ImageFolder.Open(folder["plain"]).Files.Select(file => file.Label));
    }

    [Fact]
    public void Load_DamagedImages_NamesTheFirst()
    {
        using var folder = new TemporaryFolder();
        Put(folder["a/1.png"], Picture);
        Put(folder["a/2.png"], Picture[..40]);
        Put(folder["b/3.png"], "not a picture"u8.ToArray());
        Refused(() => Load(folder.Path, needsClasses: true), folder["a/2.png"]);
    }

    [Fact]
    public void Load_ImagesAsLinks_ReadsWhatTheyLeadTo()
    {
        using var folder = new TemporaryFolder();
        Put(folder["blobs/1234"], Picture);
        Directory.CreateDirectory(folder["data/a"]);
        Directory.CreateDirectory(folder["data/b"]);
        File.CreateSymbolicLink(folder["data/a/1.png"], "../../blobs/1234");
        File.CreateSymbolicLink(folder["data/b/2.png"], "../../blobs/1234");
        Assert.Equal([0, 1], Load(folder["data"], needsClasses: true).Labels);
    }

    [Fact(Timeout = 60_000)]
    public async Task Read_NoRegularFile_IsRefusedWithoutWaiting()
    {
        using var folder = new TemporaryFolder();
        using (var make = System.Diagnostics.Process.Start("mkfifo", folder["pipe.png"]))
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(folder["endless.png"], "/dev/zero");
        Put(folder["pointer.png"], "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 307\n"u8.ToArray());
        using (FileStream large = File.Create(folder["large.png"]))
            large.SetLength(1L << 40);
        await Task.Run(
            () =>
            {
                Refused(() => ImageFolder.Read(folder["pipe.png"]), folder["pipe.png"], "must be a regular file; it is a pipe (FIFO)");
                Refused(() => ImageFolder.Read(folder["endless.png"]), "it is a device");
                Refused(() => ImageFolder.Read(folder["pointer.png"]), "is a Git LFS pointer");
                Refused(() => ImageFolder.Read(folder["large.png"]), "must have at most 8,388,608 bytes; given 1,099,511,627,776");
            },
            TestContext.Current.CancellationToken);
    }

    [Fact]
    public void RequireClasses_Others_NamesBoth() => Refused(() => Tiny.Stripes(4).RequireClasses(["rows", "rings"], "there"), "there", "rings", "columns");

    [Fact]
    public void Sample_PerClass_DrawsAsManyOfEachAndRepeatsBySeed()
    {
        TokenDataset data = Tiny.Stripes(40);
        TokenDataset sample = data.Sample(5, seed: 1);
        Assert.Equal(5, sample.Labels.Count(label => label == 0));
        Assert.Equal(5, sample.Labels.Count(label => label == 1));
        Assert.Equal(data.DrawPerClass(5, seed: 1), data.DrawPerClass(5, seed: 1));
        Assert.NotEqual(data.DrawPerClass(5, seed: 1), data.DrawPerClass(5, seed: 2));
    }

    [Fact]
    public void BatchOrder_EachEpoch_ShowsEveryImageOnceInAnotherOrder()
    {
        var order = new BatchOrder(10, seed: 1);
        int[] first = [.. Enumerable.Range(0, 10).Select(i => order[i])];
        int[] second = [.. Enumerable.Range(10, 10).Select(i => order[i])];
        Assert.Equal(Enumerable.Range(0, 10), first.Order());
        Assert.Equal(Enumerable.Range(0, 10), second.Order());
        Assert.NotEqual(first, second);
        Assert.Equal(first[3], new BatchOrder(10, seed: 1)[3]);
    }

    [Fact]
    public void Augmentation_FlipAndCrop_MovesAndMirrorsWithoutChangingColours()
    {
        ushort[] image = [.. Enumerable.Range(0, 16).Select(i => (ushort)i)];
        Assert.Equal(image.Select(token => (long)token), Apply(new Augmentation(false, 0, 1), 5));
        long[] mirrored = [.. Enumerable.Range(0, 16).Select(i => (long)((i / 4 * 4) + 3 - (i % 4)))];
        Assert.Equal(2, Enumerable.Range(0, 50).Select(ordinal => string.Join(' ', Apply(new Augmentation(true, 0, 1), ordinal))).Distinct().Order().Count());
        Assert.Contains(Enumerable.Range(0, 50), ordinal => Apply(new Augmentation(true, 0, 1), ordinal).SequenceEqual(mirrored));

        // With a padding of 1 there are nine windows.
        string[] windows = [.. Enumerable.Range(0, 400).Select(ordinal => string.Join(' ', Apply(new Augmentation(false, 1, 1), ordinal))).Distinct()];
        Assert.Equal(9, windows.Length);

        long[] Apply(Augmentation augmentation, long ordinal)
        {
            long[] target = new long[16];
            augmentation.Apply(image, 4, ordinal, target);
            return target;
        }
    }

    static TokenDataset Load(string path, bool needsClasses) => Loading.Load(path, Tiny.Processor, needsClasses, TestContext.Current.CancellationToken);

    static void Put(string path, byte[] content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, content);
    }

    static void Refused(Func<object?> action, params string[] words)
    {
        DataException refused = Assert.Throws<DataException>(action);
        Assert.All(words, word => Assert.Contains(word, refused.Message, StringComparison.Ordinal));
    }

    static void Refused(Action action, params string[] words) => Refused(
        () =>
        {
            action();
            return null;
        },
        words);
}
