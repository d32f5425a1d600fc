using System.Security.Cryptography;
using System.Text;
using IgptCluster.Contracts;

namespace IgptCluster.Grains.Heads;

/// <summary>
/// The put heads of one model: per name the change with the highest revision. Holders that have exchanged their changes agree whatever order
/// they came in; deletions are remembered so that a holder that missed one does not bring the head back. One thread at a time.
/// </summary>
internal sealed class HeadTable
{
    /// <summary>Deletions remembered, the latest first: enough for a holder that was away, and bounded.</summary>
    internal const int MaxDeletions = 1000;

    readonly Dictionary<string, HeadChange> _changes = [];

    /// <summary>The heads there are, in the order their names came.</summary>
    public IReadOnlyList<HeadChange> Heads { get; private set; } = [];

    /// <summary>The highest revision seen.</summary>
    public long Revision { get; private set; }

    /// <summary>The first 16 hexadecimal digits of the SHA-256 over names and revisions of <see cref="Heads"/>.</summary>
    public string Version { get; private set; } = VersionOf([]);

    /// <summary>What it has, deletions included.</summary>
    public HeadStamp[] Stamps => [.. _changes.Values.Select(change => new HeadStamp(change.Name, change.Revision))];

    /// <summary>The last change of a name; null if there was none.</summary>
    public HeadChange? Find(string name) => _changes.GetValueOrDefault(name);

    /// <summary>Takes a change unless it has a later one of that name.</summary>
    /// <returns>Whether it was taken.</returns>
    public bool Apply(HeadChange change)
    {
        if (_changes.TryGetValue(change.Name, out HeadChange? known) && known.Revision >= change.Revision)
        {
            return false;
        }

        _changes[change.Name] = change;
        Revision = Math.Max(Revision, change.Revision);
        foreach (HeadChange old in _changes.Values.Where(one => one.Head is null).OrderByDescending(one => one.Revision).Skip(MaxDeletions).ToArray())
        {
            _changes.Remove(old.Name);
        }

        Heads = [.. _changes.Values.Where(one => one.Head is not null).OrderBy(one => one.Created).ThenBy(one => one.Name, StringComparer.Ordinal)];
        Version = VersionOf(Heads);
        return true;
    }

    /// <summary>Changes that another holder lacks, oldest first.</summary>
    /// <param name="stamps">What the other has.</param>
    public HeadChange[] MissingIn(HeadStamp[] stamps)
    {
        var there = stamps.ToDictionary(stamp => stamp.Name, stamp => stamp.Revision);
        return [.. _changes.Values.Where(change => there.GetValueOrDefault(change.Name) < change.Revision).OrderBy(change => change.Revision)];
    }

    /// <summary>Names of changes that another holder has and this one lacks.</summary>
    /// <param name="stamps">What the other has.</param>
    public string[] MissingHere(HeadStamp[] stamps) =>
        [.. stamps.Where(stamp => (Find(stamp.Name)?.Revision ?? 0) < stamp.Revision).Select(stamp => stamp.Name)];

    static string VersionOf(IReadOnlyList<HeadChange> heads)
    {
        string all = string.Concat(heads.OrderBy(head => head.Name, StringComparer.Ordinal).Select(head => $"{head.Name}\t{head.Revision}\n"));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all)))[..16];
    }
}
