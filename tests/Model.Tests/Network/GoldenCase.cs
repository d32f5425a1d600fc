using System.Text.Json;
using System.Text.RegularExpressions;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Network;

/// <summary>One case of the golden set: its inputs as tensors, and the comparison with its outputs.</summary>
sealed partial class GoldenCase
{
    readonly JsonElement _json;
    readonly GoldenTensors _tensors;

    public GoldenCase(string model, string name)
        : this(GoldenSet.Folder, model, name)
    {
    }

    public GoldenCase(string set, string model, string name)
    {
        string folder = Path.Combine(set, "cases", model);
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(folder, "cases.json")));
        _json = document.RootElement.GetProperty("cases").EnumerateArray()
            .Single(entry => entry.GetProperty("name").GetString() == name).Clone();
        _tensors = new GoldenTensors(Path.Combine(folder, "cases.safetensors"));
        Name = $"{model}/{name}";
    }

    public string Name { get; }

    public string Notes => _json.GetProperty("notes").GetString()!;

    /// <summary>The problem_type that the case sets in the configuration; null for none.</summary>
    public string? ProblemType => ProblemTypeOf().Match(Notes) is { Success: true } match ? match.Groups[1].Value : null;

    public JsonElement Json => _json;

    public bool HasInput(string name) => _json.GetProperty("inputs").TryGetProperty(name, out _);

    public bool HasOutput(string name) => _json.GetProperty("outputs").TryGetProperty(name, out _);

    public long[] Shape(string output) => _tensors.Shape(Stored("outputs", output));

    public long[] Integers(string section, string name) => _tensors.Integers(Stored(section, name));

    public Tensor? Ids(string input) => HasInput(input)
        ? tensor(Integers("inputs", input)).reshape(_tensors.Shape(Stored("inputs", input)))
        : null;

    /// <summary>Labels as they are stored: whole numbers of classes, floats of several labels at once and of regressions.</summary>
    public Tensor? Labels() => !HasInput("labels") ? null
        : _tensors.IsInteger(Stored("inputs", "labels")) ? Ids("labels")
        : tensor(_tensors.Floats(Stored("inputs", "labels"))).reshape(_tensors.Shape(Stored("inputs", "labels")));

    public Tensor Expected(string output) => tensor(_tensors.Floats(Stored("outputs", output))).reshape(Shape(output));

    /// <summary>Asserts the set's tolerance: largest difference at most 1e-4 of the tensor's largest magnitude.</summary>
    /// <param name="output">Which output.</param>
    /// <param name="actual">What the network gave, of the same shape.</param>
    /// <param name="valid">Positions to compare, bool, broadcast over the rest; null for all.</param>
    public void AssertClose(string output, Tensor actual, Tensor? valid = null)
    {
        Tensor expected = Expected(output);
        Assert.Equal(expected.shape, actual.shape);
        Tensor difference = (actual.to(ScalarType.Float32).cpu() - expected).abs();
        Tensor magnitude = expected.abs();
        if (valid is not null)
        {
            difference = difference.where(valid, zeros(1));
            magnitude = magnitude.where(valid, zeros(1));
        }

        float largest = difference.max().item<float>();
        float scale = magnitude.max().item<float>();
        TestContext.Current.TestOutputHelper!.WriteLine($"{Name} {output}: max difference {largest:g3} of magnitude {scale:g3}, relative {largest / scale:g3}");
        Assert.True(largest <= 1e-4f * scale, $"{Name} {output}: {largest:g3} > 1e-4 × {scale:g3}");
    }

    string Stored(string section, string name) => _json.GetProperty(section).GetProperty(name).GetString()!;

    [GeneratedRegex(@"problem_type='(\w+)'")]
    private static partial Regex ProblemTypeOf();
}
