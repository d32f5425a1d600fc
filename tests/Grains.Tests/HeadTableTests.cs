using IgptCluster.Contracts;
using IgptCluster.Grains.Heads;

namespace IgptCluster.Grains.Tests;

public sealed class HeadTableTests
{
    static readonly HeadChange[] Story =
    [
        Put("a", 1), Put("b", 2), Delete("a", 3), Put("c", 4), Put("b", 5, created: 2), Delete("c", 6), Put("a", 7), Put("d", 8),
    ];

    [Fact]
    public void Apply_SameChangesInAnyOrder_AgreesOnHeadsAndVersion()
    {
        var first = new HeadTable();
        Assert.All(Story, change => Assert.True(first.Apply(change)));
        Assert.Equal([("b", 5), ("a", 7), ("d", 8)], first.Heads.Select(head => (head.Name, head.Revision)));
        var random = new Random(5);
        for (int i = 0; i < 100; i++)
        {
            HeadChange[] shuffled = [.. Story, .. Story];
            random.Shuffle(shuffled);
            var other = new HeadTable();
            Assert.All(shuffled, change => other.Apply(change));
            Assert.Equal(first.Heads, other.Heads);
            Assert.Equal((first.Version, first.Revision), (other.Version, other.Revision));
        }
    }

    [Fact]
    public void Apply_OlderOrSameRevision_ChangesNothing()
    {
        var table = new HeadTable();
        table.Apply(Put("a", 5));
        string version = table.Version;
        Assert.False(table.Apply(Put("a", 5)));
        Assert.False(table.Apply(Delete("a", 4)));
        Assert.Equal(version, table.Version);
        Assert.True(table.Apply(Delete("a", 6)));
        Assert.Empty(table.Heads);
        Assert.Equal(new HeadTable().Version, table.Version);
    }

    [Fact]
    public void Missing_TwoHolders_NameWhatEachLacks()
    {
        var here = new HeadTable();
        var there = new HeadTable();
        here.Apply(Put("both", 1));
        there.Apply(Put("both", 1));
        here.Apply(Put("here", 2));
        there.Apply(Put("there", 3));
        here.Apply(Put("newer", 4));
        there.Apply(Delete("newer", 5));
        Assert.Equal(["here"], here.MissingIn(there.Stamps).Select(change => change.Name));
        Assert.Equal(["newer", "there"], here.MissingHere(there.Stamps).Order());
    }

    [Fact]
    public void Apply_ManyDeletions_RemembersTheLatestAndEveryHead()
    {
        var table = new HeadTable();
        table.Apply(Put("kept", 1));
        for (int i = 0; i < HeadTable.MaxDeletions + 10; i++)
        {
            table.Apply(Delete($"gone-{i}", i + 2));
        }

        Assert.Equal(HeadTable.MaxDeletions + 1, table.Stamps.Length);
        Assert.Null(table.Find("gone-9"));
        Assert.NotNull(table.Find("gone-10"));
        Assert.NotNull(table.Find("kept"));
    }

    static HeadChange Put(string name, long revision, long? created = null) => new(
        name, revision, created ?? revision, new HeadSpec { Name = name, Layer = 0, Labels = ["x"], Weight = [1], Bias = [] });

    static HeadChange Delete(string name, long revision) => new(name, revision, revision, null);
}
