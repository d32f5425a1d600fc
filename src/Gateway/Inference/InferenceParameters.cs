using System.Globalization;
using Google.Protobuf.Collections;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Protocol.Inference;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Inference;

/// <summary>The parameters of an inference request.</summary>
/// <param name="given">As sent.</param>
internal sealed class InferenceParameters(MapField<string, InferParameter> given)
{
    static readonly string[] Known = ["head", "layer", "normalize", "prompt_tokens", "temperature", "top_k", "top_p", "seed"];

    // Triton's clients send them unasked.
    static readonly string[] WithoutEffect = ["binary_data_output", "sequence_id", "sequence_start", "sequence_end", "priority", "timeout"];

    /// <summary>Refuses names that nothing reads.</summary>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public void RequireKnown()
    {
        if (given.Keys.FirstOrDefault(name => !Known.Contains(name) && !WithoutEffect.Contains(name)) is { } unknown)
        {
            string nearest = NearestName.Of(unknown, Known) is { } known ? $"; the nearest is {known}" : "";
            throw Require.Invalid($"parameters.{Echo.Cut(unknown, Echo.MaxLength)}", $"there is no such parameter{nearest}: models take {string.Join(", ", Known)}");
        }
    }

    /// <summary>A text; empty if it is left out.</summary>
    /// <param name="name">The parameter.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public string Text(string name) => !given.TryGetValue(name, out InferParameter? value) ? ""
        : value.HasStringParam ? value.StringParam : throw Require.Invalid($"parameters.{name}", $"must be a text; given {Shown(value)}");

    /// <summary>A switch; off if it is left out.</summary>
    /// <param name="name">The parameter.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public bool IsOn(string name) => given.TryGetValue(name, out InferParameter? value) && (value.HasBoolParam ? value.BoolParam : throw Require.Invalid($"parameters.{name}", $"must be true or false; given {Shown(value)}"));

    /// <summary>A whole number that is not negative; null if it is left out.</summary>
    /// <param name="name">The parameter.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public ulong? Whole(string name) => !given.TryGetValue(name, out InferParameter? value) ? null
        : value.HasUint64Param ? value.Uint64Param
        : value is { HasInt64Param: true, Int64Param: >= 0 } ? (ulong)value.Int64Param
        : throw Require.Invalid($"parameters.{name}", $"must be a whole number, at least 0; given {Shown(value)}");

    /// <summary>How colours are drawn.</summary>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public SamplingParameters Sampling()
    {
        var sampling = new SamplingParameters();
        if (Number("temperature") is { } temperature)
        {
            sampling.Temperature = temperature;
        }

        if (Number("top_p") is { } topP)
        {
            sampling.TopP = topP;
        }

        if (Whole("top_k") is { } topK)
        {
            sampling.TopK = (uint)Math.Min(topK, uint.MaxValue);
        }

        if (Whole("seed") is { } seed)
        {
            sampling.Seed = seed;
        }

        return sampling;
    }

    double? Number(string name) => !given.TryGetValue(name, out InferParameter? value) ? null
        : value.HasDoubleParam ? value.DoubleParam
        : value.HasInt64Param ? value.Int64Param
        : value.HasUint64Param ? value.Uint64Param
        : throw Require.Invalid($"parameters.{name}", $"must be a number; given {Shown(value)}");

    /// <summary>A value as it was sent.</summary>
    static string Shown(InferParameter value) => value.ParameterChoiceCase switch
    {
        InferParameter.ParameterChoiceOneofCase.BoolParam => value.BoolParam ? "true" : "false",
        InferParameter.ParameterChoiceOneofCase.StringParam => Echo.Quoted(value.StringParam),
        InferParameter.ParameterChoiceOneofCase.Int64Param => value.Int64Param.ToString(CultureInfo.InvariantCulture),
        InferParameter.ParameterChoiceOneofCase.Uint64Param => value.Uint64Param.ToString(CultureInfo.InvariantCulture),
        InferParameter.ParameterChoiceOneofCase.DoubleParam => value.DoubleParam.ToString("R", CultureInfo.InvariantCulture),
        _ => "nothing",
    };
}
