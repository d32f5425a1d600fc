using IgptCluster.CommandLine;

namespace IgptCluster.Contracts;

/// <summary>What a classifier head must look like, whether a client puts it or a checkpoint folder holds it.</summary>
public static class HeadRules
{
    /// <summary>Most labels of one head.</summary>
    public const int MaxLabels = 100_000;

    /// <summary>Most characters of one label.</summary>
    public const int MaxLabelLength = 256;

    /// <summary>Most weights of one head: 64 MiB, so that one message between silos (100 MiB) always carries a head.</summary>
    public const int MaxWeights = 16 << 20;

    /// <summary>Most heads that clients can put on one model.</summary>
    public const int MaxHeads = 1000;

    /// <summary>Most weights of all put heads of one model: 256 MiB in the memory of each of its silos.</summary>
    public const long MaxTotalWeights = 64 << 20;

    /// <summary>Most logits of one request, images times the labels of all heads asked for: 32 MiB.</summary>
    public const long MaxLogits = 8 << 20;

    /// <summary>Names all heads of a model where further heads are asked for.</summary>
    public const string All = "*";

    /// <summary>Checks a head against its model.</summary>
    /// <param name="head">The head.</param>
    /// <param name="layers">The model's blocks.</param>
    /// <param name="width">Width of the model's hidden states.</param>
    /// <returns>Every broken rule, the first place of each; empty if the head is fine.</returns>
    public static IReadOnlyList<FieldViolation> Violations(HeadSpec head, int layers, int width)
    {
        var broken = new List<FieldViolation>();
        if (!IdRule.IsKeptBy(head.Name))
        {
            broken.Add(new("head", $"a head's name is {IdRule.Words}; given {Echo.Quoted(head.Name)}"));
        }

        if (head.Layer < 0 || head.Layer > layers)
        {
            broken.Add(new("layer", $"the model has hidden states 0 … {layers}; given {head.Layer}"));
        }

        CheckLabels(broken, head.Labels);
        CheckSizes(broken, head, width);
        CheckFinite(broken, "weight", head.Weight);
        CheckFinite(broken, "bias", head.Bias);
        return broken;
    }

    /// <summary>Whether a head that is fine in itself fits a model.</summary>
    /// <param name="head">The head.</param>
    /// <param name="layers">The model's blocks.</param>
    /// <param name="width">Width of the model's hidden states.</param>
    public static bool Fits(HeadSpec head, int layers, int width) => head.Layer <= layers && head.Weight.Length == (long)head.Labels.Length * width;

    static void CheckLabels(List<FieldViolation> broken, string[] labels)
    {
        if (labels.Length is 0 or > MaxLabels)
        {
            broken.Add(new("labels", $"a head has 1 … {MaxLabels:N0} labels; given {labels.Length:N0}"));
        }

        if (Array.FindIndex(labels, label => label.Length is 0 or > MaxLabelLength) is >= 0 and var at)
        {
            broken.Add(new($"labels[{at}]", $"a label has 1 … {MaxLabelLength} characters; given {labels[at].Length:N0}"));
        }
        else if (Array.FindIndex(labels, label => !PrintableText.IsPrintable(label)) is >= 0 and var odd)
        {
            broken.Add(new($"labels[{odd}]", $"a label has no control characters; given {Echo.Quoted(labels[odd])}"));
        }
    }

    static void CheckSizes(List<FieldViolation> broken, HeadSpec head, int width)
    {
        long wanted = (long)head.Labels.Length * width;
        if (wanted > MaxWeights)
        {
            broken.Add(new(
                "weight",
                $"a head has at most {MaxWeights:N0} weights; {head.Labels.Length:N0} labels × {width} are {wanted:N0}: divide the labels among several heads"));
        }
        else if (head.Weight.Length != wanted)
        {
            broken.Add(new(
                "weight",
                $"must have labels × embedding_size = {head.Labels.Length:N0} × {width} = {wanted:N0} values, row by row; given {head.Weight.Length:N0}"));
        }

        if (head.Bias.Length > 0 && head.Bias.Length != head.Labels.Length)
        {
            broken.Add(new("bias", $"must have one value per label, {head.Labels.Length:N0}, or be left out; given {head.Bias.Length:N0}"));
        }
    }

    static void CheckFinite(List<FieldViolation> broken, string field, float[] values)
    {
        if (Array.FindIndex(values, value => !float.IsFinite(value)) is >= 0 and var at)
        {
            int count = values.Count(value => !float.IsFinite(value));
            broken.Add(new($"{field}[{at}]", $"every value must be finite; given {values[at]}{(count > 1 ? $" and {count - 1:N0} more that are not" : "")}"));
        }
    }
}
