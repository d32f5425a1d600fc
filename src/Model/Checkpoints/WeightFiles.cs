using System.Text.Json;
using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>The open weight files of a checkpoint folder, one or several shards.</summary>
sealed class WeightFiles : IDisposable
{
    const string Safetensors = "model.safetensors";
    const string Bin = "pytorch_model.bin";
    const string IndexSuffix = ".index.json";
    const int MaxIndexBytes = 64 << 20;

    readonly List<UserFile> _files = [];
    readonly List<IDisposable> _archives = [];
    readonly List<CheckpointTensor> _tensors = [];

    WeightFiles(string name) => Name = name;

    /// <summary>The file, or the index of the files, for messages.</summary>
    internal string Name { get; }

    internal IReadOnlyList<CheckpointTensor> Tensors => _tensors;

    internal static WeightFiles Open(string folder, string? named)
    {
        string[] candidates = named is null ? [Safetensors, Safetensors + IndexSuffix, Bin, Bin + IndexSuffix] : [named];
        string name = Array.Find(candidates, candidate => UserFile.IsThere(Path.Combine(folder, candidate)))
            ?? throw new CheckpointException($"{folder}: there is none of {string.Join(", ", candidates)}");
        var files = new WeightFiles(name);
        try
        {
            if (name.EndsWith(IndexSuffix, StringComparison.Ordinal))
            {
                files.AddShards(folder, name);
            }
            else
            {
                files.Add(Path.Combine(folder, name), _ => true);
            }

            return files;
        }
        catch
        {
            files.Dispose();
            throw;
        }
    }

    /// <summary>Refuses what was read of files that were written to since they were opened.</summary>
    /// <exception cref="CheckpointException">One was.</exception>
    internal void RequireUnchanged()
    {
        foreach (UserFile file in _files)
        {
            try
            {
                file.RequireUnchanged();
            }
            catch (UserFileException failure)
            {
                throw CheckpointFiles.Fault(file.Path, failure);
            }
        }
    }

    public void Dispose()
    {
        _archives.ForEach(archive => archive.Dispose());
        _files.ForEach(file => file.Dispose());
    }

    void Add(string path, Func<string, bool> wanted)
    {
        UserFile file = CheckpointFiles.Open(path);
        _files.Add(file);
        if (path.EndsWith(".safetensors", StringComparison.Ordinal))
        {
            _tensors.AddRange(SafetensorsFile.Read(file).Where(tensor => wanted(tensor.Name)));
            return;
        }

        (List<CheckpointTensor> tensors, IDisposable? archive) = PyTorchFile.Read(file);
        _tensors.AddRange(tensors.Where(tensor => wanted(tensor.Name)));
        if (archive is not null)
        {
            _archives.Add(archive);
        }
    }

    void AddShards(string folder, string index)
    {
        Dictionary<string, string> map = ReadMap(Path.Combine(folder, index), index);
        foreach (IGrouping<string, string> shard in map.GroupBy(entry => entry.Value, entry => entry.Key))
        {
            string path = Path.Combine(folder, shard.Key);
            if (shard.Key.Length == 0 || shard.Key != Path.GetFileName(shard.Key) || shard.Key is "." or ".." || shard.Key.Contains('\\', StringComparison.Ordinal))
            {
                throw new CheckpointException($"{index}: a shard must be a file of the same folder; given '{shard.Key}'");
            }

            if (!UserFile.IsThere(path))
            {
                throw new CheckpointException($"{index}: there is no shard '{shard.Key}'");
            }

            int before = _tensors.Count;
            Add(path, name => map.GetValueOrDefault(name) == shard.Key);
            string[] missing = [.. shard.Except(_tensors.Skip(before).Select(tensor => tensor.Name))];
            if (missing.Length > 0)
            {
                throw new CheckpointException($"{shard.Key}: must hold {string.Join(", ", missing.Select(name => $"'{name}'"))} by {index}; it does not");
            }
        }
    }

    static Dictionary<string, string> ReadMap(string path, string index)
    {
        string json = CheckpointFiles.ReadText(path, MaxIndexBytes)!;
        try
        {
            using JsonDocument document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 16 });
            if (document.RootElement.ValueKind != JsonValueKind.Object
                || !document.RootElement.TryGetProperty("weight_map", out JsonElement map)
                || map.ValueKind != JsonValueKind.Object
                || map.EnumerateObject().Any(entry => entry.Value.ValueKind != JsonValueKind.String))
            {
                throw new CheckpointException($"{index}: must have a weight_map from tensor names to file names");
            }

            var files = new Dictionary<string, string>();
            foreach (JsonProperty entry in map.EnumerateObject())
            {
                files[entry.Name] = entry.Value.GetString()!;
            }

            return files;
        }
        catch (JsonException failure)
        {
            throw new CheckpointException($"{index}: {IncompleteFile.JsonFault(json, failure)}", failure);
        }
    }
}
