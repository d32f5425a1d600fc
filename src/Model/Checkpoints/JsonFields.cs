using System.Globalization;
using System.Text.Json;

namespace IgptCluster.Model.Checkpoints;

/// <summary>Typed access to the fields of a JSON object that collects every broken rule.</summary>
sealed class JsonFields
{
    const int DefaultLabels = 2;

    readonly JsonElement _root;

    internal JsonFields(JsonElement root)
    {
        _root = root;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException($"it must be an object; given {root.ValueKind}");
        }
    }

    internal List<string> Problems { get; } = [];

    internal bool IsNull(string name) => !_root.TryGetProperty(name, out JsonElement given) || given.ValueKind == JsonValueKind.Null;

    internal int Whole(string name, string alias, int otherwise, int least, int most) =>
        Whole(!_root.TryGetProperty(name, out _) && _root.TryGetProperty(alias, out _) ? alias : name, otherwise, least, most);

    internal int Whole(string name, int otherwise, int least, int most)
    {
        if (!_root.TryGetProperty(name, out JsonElement given))
        {
            return otherwise;
        }

        if (given.ValueKind == JsonValueKind.Number && given.TryGetInt32(out int value) && value >= least && value <= most)
        {
            return value;
        }

        Problems.Add($"{name}: must be a whole number, {least} … {most}; given {Shown(given)}");
        return otherwise;
    }

    internal double Number(string name, double otherwise, double least, double most)
    {
        if (!_root.TryGetProperty(name, out JsonElement given))
        {
            return otherwise;
        }

        if (given.ValueKind == JsonValueKind.Number && given.GetDouble() is var value && value >= least && value <= most)
        {
            return value;
        }

        Problems.Add(string.Create(CultureInfo.InvariantCulture, $"{name}: must be a number, {least} … {most}; given {Shown(given)}"));
        return otherwise;
    }

    internal bool Flag(string name, bool otherwise)
    {
        if (!_root.TryGetProperty(name, out JsonElement given) || given.ValueKind is JsonValueKind.True or JsonValueKind.False)
        {
            return given.ValueKind == JsonValueKind.Undefined ? otherwise : given.GetBoolean();
        }

        Problems.Add($"{name}: must be true or false; given {Shown(given)}");
        return otherwise;
    }

    internal string Text(string name, string otherwise)
    {
        if (!_root.TryGetProperty(name, out JsonElement given) || given.ValueKind == JsonValueKind.String)
        {
            return given.ValueKind == JsonValueKind.String ? given.GetString()! : otherwise;
        }

        Problems.Add($"{name}: must be a text; given {Shown(given)}");
        return otherwise;
    }

    internal string[] Texts(string name)
    {
        if (IsNull(name))
        {
            return [];
        }

        JsonElement given = _root.GetProperty(name);
        if (given.ValueKind == JsonValueKind.Array && given.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String))
        {
            return [.. given.EnumerateArray().Select(item => item.GetString()!)];
        }

        Problems.Add($"{name}: must be a list of texts; given {Shown(given)}");
        return [];
    }

    /// <summary>Labels of a checkpoint that has no use for any: Hugging Face's default.</summary>
    internal static IReadOnlyList<string> UnusedLabels() => Nameless(DefaultLabels);

    /// <summary>id2label, else num_labels nameless ones, else Hugging Face's default of two.</summary>
    internal IReadOnlyList<string> Labels()
    {
        if (IsNull("id2label"))
        {
            return Nameless(Whole("num_labels", DefaultLabels, 1, 1 << 20));
        }

        JsonElement given = _root.GetProperty("id2label");
        var labels = new SortedDictionary<int, string>();
        if (given.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty label in given.EnumerateObject())
            {
                if (int.TryParse(label.Name, NumberStyles.None, CultureInfo.InvariantCulture, out int id) && label.Value.ValueKind is JsonValueKind.String or JsonValueKind.Number)
                {
                    labels[id] = label.Value.ToString();
                }
            }

            if (labels.Count > 0 && labels.Keys.SequenceEqual(Enumerable.Range(0, labels.Count)) && labels.Count == given.EnumerateObject().Count())
            {
                return [.. labels.Values];
            }
        }

        Problems.Add($"id2label: must name classes 0, 1, 2 … without gaps; given {Shown(given)}");
        return [];
    }

    static string[] Nameless(int count) => [.. Enumerable.Range(0, count).Select(i => $"LABEL_{i}")];

    static string Shown(JsonElement given)
    {
        string text = given.GetRawText();
        return text.Length <= 60 ? text : text[..60] + "…";
    }
}
