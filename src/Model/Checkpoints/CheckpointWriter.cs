using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Nodes;
using static TorchSharp.torch;

namespace IgptCluster.Model.Checkpoints;

/// <summary>What to write besides the weights.</summary>
public sealed record CheckpointContent
{
    /// <summary>The configuration.</summary>
    public required ImageGptConfig Config { get; init; }

    /// <summary>Which heads it has.</summary>
    public required ImageGptArchitecture Architecture { get; init; }

    /// <summary>Data type to store weights in: float32, float16 or bfloat16.</summary>
    public ScalarType DType { get; init; } = ScalarType.Float32;

    /// <summary>preprocessor_config.json; null writes none.</summary>
    public string? PreprocessorJson { get; init; }

    /// <summary>The model card, README.md; null writes none.</summary>
    public string? Card { get; init; }

    /// <summary>Most bytes of tensors per file before the checkpoint is sharded. Default 5 GB, as Hugging Face's.</summary>
    public long MaxShardBytes { get; init; } = 5_000_000_000;
}

/// <summary>Writes checkpoint folders that Hugging Face reads: config.json and safetensors, sharded where large.</summary>
public static class CheckpointWriter
{
    /// <summary>Writes a folder, weight by weight: no second copy of them is held.</summary>
    /// <param name="folder">Made if it is not there; files of the same names are replaced, each at once.</param>
    /// <param name="content">What to write.</param>
    /// <param name="weight">Gives each weight when it is its turn; the tensor is disposed after it is written.</param>
    /// <exception cref="ArgumentException">A weight has not the shape that the configuration asks for.</exception>
    public static void Write(string folder, CheckpointContent content, Func<WeightShape, Tensor> weight)
    {
        Directory.CreateDirectory(folder);
        IReadOnlyList<WeightShape> layout = WeightLayout.Of(content.Config, content.Architecture);
        List<List<WeightShape>> shards = Shards(layout, content);
        string[] names = shards.Count == 1 ? ["model.safetensors"] : [.. Enumerable.Range(1, shards.Count).Select(i => $"model-{i:00000}-of-{shards.Count:00000}.safetensors")];
        for (int i = 0; i < shards.Count; i++)
        {
            List<WeightShape> shard = shards[i];
            Replace(Path.Combine(folder, names[i]), file => WriteTensors(file, shard, content, weight));
        }

        if (shards.Count > 1)
        {
            WriteText(folder, "model.safetensors.index.json", Index(shards, names, content));
        }

        WriteText(folder, "config.json", ImageGptConfigJson.Write(content.Config, content.Architecture, NameOf(content.DType)));
        WriteText(folder, "preprocessor_config.json", content.PreprocessorJson);
        WriteText(folder, "README.md", content.Card);
    }

    /// <summary>PyTorch's name of a data type, <c>float32</c>.</summary>
    /// <param name="dtype">The data type.</param>
    /// <exception cref="ArgumentException">Weights are not stored in it.</exception>
    public static string NameOf(ScalarType dtype) => dtype switch
    {
        ScalarType.Float32 => "float32",
        ScalarType.Float16 => "float16",
        ScalarType.BFloat16 => "bfloat16",
        _ => throw new ArgumentException($"weights are stored as float32, float16 or bfloat16; given {dtype}", nameof(dtype)),
    };

    static List<List<WeightShape>> Shards(IReadOnlyList<WeightShape> layout, CheckpointContent content)
    {
        List<List<WeightShape>> shards = [[]];
        long bytes = 0;
        foreach (WeightShape weight in layout)
        {
            long size = weight.Count * CheckpointTensor.SizeOf(content.DType);
            if (bytes + size > content.MaxShardBytes && shards[^1].Count > 0)
            {
                shards.Add([]);
                bytes = 0;
            }

            shards[^1].Add(weight);
            bytes += size;
        }

        return shards;
    }

    static void WriteTensors(FileStream file, List<WeightShape> shard, CheckpointContent content, Func<WeightShape, Tensor> make)
    {
        byte[] header = Header(shard, content);
        byte[] length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
        file.Write(length);
        file.Write(header);
        foreach (WeightShape weight in shard)
        {
            using var scope = NewDisposeScope();
            using var inference = no_grad();
            Tensor tensor = make(weight);
            if (!tensor.shape.SequenceEqual(weight.Shape))
            {
                throw new ArgumentException($"weight '{weight.Name}' must be [{string.Join(", ", weight.Shape)}]; given [{string.Join(", ", tensor.shape)}]", nameof(make));
            }

            Tensor stored = tensor.cpu().to_type(content.DType).contiguous();
            file.Write(stored.bytes);
        }
    }

    static byte[] Header(List<WeightShape> shard, CheckpointContent content)
    {
        string dtype = content.DType switch { ScalarType.Float32 => "F32", ScalarType.Float16 => "F16", _ => "BF16" };
        var root = new JsonObject { ["__metadata__"] = new JsonObject { ["format"] = "pt" } };
        long at = 0;
        foreach (WeightShape weight in shard)
        {
            long end = at + (weight.Count * CheckpointTensor.SizeOf(content.DType));
            root[StoredName(weight.Name, content.Architecture)] = new JsonObject
            {
                ["dtype"] = dtype,
                ["shape"] = new JsonArray([.. weight.Shape.Select(size => JsonValue.Create(size))]),
                ["data_offsets"] = new JsonArray(at, end),
            };
            at = end;
        }

        // Padded with blanks so that the data are aligned to 8 bytes.
        byte[] json = JsonSerializer.SerializeToUtf8Bytes(root);
        byte[] padded = new byte[(json.Length + 7) / 8 * 8];
        padded.AsSpan().Fill((byte)' ');
        json.CopyTo(padded, 0);
        return padded;
    }

    static string Index(List<List<WeightShape>> shards, string[] names, CheckpointContent content)
    {
        var map = new JsonObject();
        for (int i = 0; i < shards.Count; i++)
        {
            foreach (WeightShape weight in shards[i])
            {
                map[StoredName(weight.Name, content.Architecture)] = names[i];
            }
        }

        long total = shards.SelectMany(shard => shard).Sum(weight => weight.Count * CheckpointTensor.SizeOf(content.DType));
        return new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = total }, ["weight_map"] = map }.ToJsonString() + "\n";
    }

    /// <summary>Hugging Face puts the backbone of a model with a head behind a prefix.</summary>
    static string StoredName(string name, ImageGptArchitecture architecture) =>
        architecture == ImageGptArchitecture.Model || name is WeightLayout.LanguageHead or WeightLayout.ClassifierHead ? name : $"transformer.{name}";

    static void WriteText(string folder, string name, string? text)
    {
        if (text is not null)
        {
            Replace(Path.Combine(folder, name), file => file.Write(System.Text.Encoding.UTF8.GetBytes(text)));
        }
    }

    static void Replace(string path, Action<FileStream> write)
    {
        string temporary = $"{path}.{Environment.ProcessId}.tmp";
        try
        {
            using (FileStream file = new(temporary, FileMode.Create, FileAccess.Write, FileShare.None, 1 << 20))
            {
                write(file);
                file.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }
}
