using System.Security.Cryptography;
using System.Text;
using IgptCluster.Contracts;
using IgptCluster.Files;
using IgptCluster.Grains.Replicas;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Protocol;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Silo.Replicas;

/// <summary>The classifier heads of a checkpoint folder, <c>heads/*.json</c>: each the JSON form of a PutHeadRequest.</summary>
internal static class HeadFiles
{
    const string Subfolder = "heads";

    /// <summary>Reads and checks a folder's heads.</summary>
    /// <param name="checkpoint">The folder's checkpoint.</param>
    /// <param name="taken">Names that are not free.</param>
    /// <returns>The heads in the order of their files' names.</returns>
    /// <exception cref="CheckpointException">Files break rules: all of them are named.</exception>
    internal static LinearHead[] Load(Checkpoint checkpoint, params string[] taken)
    {
        var problems = new List<string>();
        var heads = new List<LinearHead>();
        foreach (string path in Paths(checkpoint))
        {
            HeadSpec? head = Read(path, problems);
            FieldViolation[] broken = head is null ? [] : [.. HeadRules.Violations(head, checkpoint.Config.LayerCount, checkpoint.Config.EmbeddingSize)];
            problems.AddRange(broken.Select(one => $"{Shown(path)}: {one}"));
            if (head is null || broken.Length > 0)
            {
                continue;
            }

            if (taken.Contains(head.Name) || heads.Exists(other => other.Description.Name == head.Name))
            {
                problems.Add($"{Shown(path)}: head: the checkpoint has another head '{head.Name}'; give this one another name");
                continue;
            }

            heads.Add(new LinearHead(head.ToDescription(), head.Weight, head.Bias));
        }

        return problems.Count == 0 ? [.. heads] : throw new CheckpointException(string.Join("; ", problems));
    }

    /// <summary>The version of a checkpoint with its heads: the weights' alone if there are none.</summary>
    /// <param name="checkpoint">The folder's checkpoint.</param>
    internal static string Version(Checkpoint checkpoint)
    {
        string weights = checkpoint.ComputeVersion();
        string[] paths = Paths(checkpoint);
        if (paths.Length == 0)
        {
            return weights;
        }

        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(Encoding.UTF8.GetBytes(weights));
        foreach (string path in paths)
        {
            hash.AppendData(Encoding.UTF8.GetBytes($"\n{Path.GetFileName(path)}\n"));
            hash.AppendData(Read(path, SHA256.HashData));
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    static string[] Paths(Checkpoint checkpoint)
    {
        string folder = Path.Combine(checkpoint.Folder, Subfolder);
        return Directory.Exists(folder) ? [.. Directory.EnumerateFiles(folder, "*.json").Order(StringComparer.Ordinal)] : [];
    }

    static HeadSpec? Read(string path, List<string> problems)
    {
        try
        {
            PutHeadRequest file = Read(path, stream => HeadFile.Read(stream, path));
            return new HeadSpec
            {
                Name = file.Head,
                Layer = (int)Math.Min(file.Layer, int.MaxValue),
                Labels = [.. file.Labels],
                Weight = [.. file.Weight],
                Bias = [.. file.Bias],
            };
        }
        catch (UserFileException failure)
        {
            problems.Add($"{Shown(path)}: {failure.Rule}");
        }
        catch (Exception failure) when (failure is InvalidDataException or IOException)
        {
            problems.Add($"{Shown(path)}: {failure.Message}");
        }

        return null;
    }

    static T Read<T>(string path, Func<Stream, T> read)
    {
        using UserFile file = UserFile.Open(path, HeadFile.MaxBytes);
        using Stream stream = file.OpenStream();
        T result = read(stream);
        file.RequireUnchanged();
        return result;
    }

    static string Shown(string path) => $"{Subfolder}/{Path.GetFileName(path)}";
}
