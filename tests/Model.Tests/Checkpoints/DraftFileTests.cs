using IgptCluster.Engine.Drafting;
using IgptCluster.Files;
using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Model.Tests.Checkpoints;

public sealed class DraftFileTests
{
    [Fact]
    public void Read_WhatWasWritten_IsTheSame()
    {
        using var folder = new CheckpointFolder("half-17");
        ContextTable table = Table();
        string path = DraftFile.Write(folder.Path, table);
        Assert.Equal(DraftFile.Name, Path.GetFileName(path));
        ContextTable read = DraftFile.Read(folder.Path, 7)!;
        Assert.Equal(table.ContextCount, read.ContextCount);
        Assert.All(table.Entries, pair => Assert.Equal(Text(pair.Value), Text(read.Find(pair.Key))));
        DraftFile.Write(folder.Path, table.Prune(3));
        Assert.Equal(3, DraftFile.Read(folder.Path, 7)!.ContextCount);
    }

    [Fact]
    public void Read_NoFile_IsNothing()
    {
        using var folder = new CheckpointFolder("half-17");
        Assert.Null(DraftFile.Read(folder.Path, 7));
    }

    [Fact]
    public void Read_EveryBitTurnedAndEveryLength_IsRefusedByName()
    {
        using var folder = new CheckpointFolder("half-17");
        string path = DraftFile.Write(folder.Path, Table().Prune(4));
        byte[] bytes = File.ReadAllBytes(path);
        for (int at = 0; at < bytes.Length; at++)
        {
            byte[] damaged = [.. bytes];
            damaged[at] ^= (byte)(1 << (at % 8));
            AssertRefused(damaged);
            AssertRefused(bytes[..at]);
        }

        AssertRefused([.. bytes, 0]);

        void AssertRefused(byte[] damaged)
        {
            File.WriteAllBytes(path, damaged);
            Assert.Contains(path, Assert.Throws<CheckpointException>(() => DraftFile.Read(folder.Path, 7)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Read_TableOfALargerPalette_IsRefused()
    {
        using var folder = new CheckpointFolder("half-17");
        DraftFile.Write(folder.Path, Table());
        Assert.Contains("below 6", Assert.Throws<CheckpointException>(() => DraftFile.Read(folder.Path, 6)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Read_AFolderOfThatName_IsRefused()
    {
        using var folder = new CheckpointFolder("half-17");
        Directory.CreateDirectory(Path.Combine(folder.Path, DraftFile.Name));
        Assert.Throws<UserFileException>(() => DraftFile.Read(folder.Path, 7));
    }

    static ContextTable Table()
    {
        int[] picture = [.. Enumerable.Range(0, 64).Select(i => i % 7)];
        return ContextTable.Count([picture, picture], 8);
    }

    static string Text(ContextEntry entry) => string.Join(' ', Enumerable.Range(0, ContextEntry.Most).Select(i => entry.Count(i) > 0 ? $"{entry.Colour(i)}:{entry.Count(i)}" : "").Order(StringComparer.Ordinal));
}
