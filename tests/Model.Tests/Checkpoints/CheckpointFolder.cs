using System.Diagnostics;
using System.Text.Json.Nodes;
using IgptCluster.Model.Checkpoints;
using IgptCluster.Tests.Shared;

namespace IgptCluster.Model.Tests.Checkpoints;

/// <summary>A copy of one of the bundled golden checkpoints for one test, to be changed by it.</summary>
sealed class CheckpointFolder : IDisposable
{
    readonly DirectoryInfo _root = Directory.CreateTempSubdirectory("igpt-test-");

    /// <summary>Copies some files of a golden model.</summary>
    internal CheckpointFolder(string model, params string[] files)
    {
        Path = System.IO.Path.Combine(_root.FullName, "snapshots", "0123");
        Directory.CreateDirectory(Path);
        foreach (string file in files)
        {
            File.Copy(System.IO.Path.Combine(GoldenSet.Bundled, "models", model, file), this[file]);
        }
    }

    internal string Path { get; }

    internal string this[string file] => System.IO.Path.Combine(Path, file);

    /// <summary>Lays a golden model out as Hugging Face's cache does: <c>snapshots/REVISION/NAME</c> is a relative link to <c>blobs/HASH</c>.</summary>
    internal static CheckpointFolder AsHuggingFaceCache(string model, string pattern)
    {
        var folder = new CheckpointFolder(model);
        string blobs = System.IO.Path.Combine(folder._root.FullName, "blobs");
        Directory.CreateDirectory(blobs);
        foreach (string file in Directory.EnumerateFiles(System.IO.Path.Combine(GoldenSet.Bundled, "models", model)))
        {
            string name = System.IO.Path.GetFileName(file);
            if (name.EndsWith(".json", StringComparison.Ordinal) || name.Contains(pattern, StringComparison.Ordinal))
            {
                string blob = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(file)));
                File.Copy(file, System.IO.Path.Combine(blobs, blob));
                File.CreateSymbolicLink(folder[name], $"../../blobs/{blob}");
            }
        }

        return folder;
    }

    internal void ChangeConfig(Action<JsonObject> change)
    {
        JsonObject config = JsonNode.Parse(File.ReadAllText(this["config.json"]))!.AsObject();
        change(config);
        File.WriteAllText(this["config.json"], config.ToJsonString());
    }

    /// <summary>Changes the header of a safetensors file and adds bytes behind its tensors.</summary>
    internal void ChangeSafetensors(Func<JsonObject, JsonObject> change, int moreBytes = 0)
    {
        string path = this["model.safetensors"];
        byte[] file = File.ReadAllBytes(path);
        int length = (int)BitConverter.ToInt64(file);
        byte[] header = System.Text.Encoding.UTF8.GetBytes(change(JsonNode.Parse(file.AsSpan(8, length))!.AsObject()).ToJsonString());
        File.WriteAllBytes(path, [.. BitConverter.GetBytes((long)header.Length), .. header, .. file.AsSpan(8 + length), .. new byte[moreBytes]]);
    }

    /// <summary>Puts a pipe without a writer in the place of a file.</summary>
    internal void PutPipe(string file)
    {
        File.Delete(this[file]);
        using Process make = Process.Start("mkfifo", this[file]);
        make.WaitForExit();
    }

    /// <summary>The message of the refusal.</summary>
    internal string Refusal() => Assert.Throws<CheckpointException>(() => Checkpoint.Open(Path).Dispose()).Message;

    public void Dispose() => _root.Delete(recursive: true);
}
