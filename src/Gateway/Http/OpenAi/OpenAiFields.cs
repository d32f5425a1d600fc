using System.Globalization;
using System.Text.Json;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using Microsoft.OpenApi;

namespace IgptCluster.Gateway.Http.OpenAi;

/// <summary>The fields of a request of OpenAI's images API, from JSON or a form. Blank ones and null are left out.</summary>
/// <param name="values">Values by name.</param>
internal sealed class OpenAiFields(IReadOnlyDictionary<string, string> values)
{
    const string NoEffect = "Taken, without effect.";

    /// <summary>What a request can hold, for its description. What can have no effect here is taken all the same: clients send it unasked.</summary>
    internal static IReadOnlyList<(string Name, JsonSchemaType Type, string What)> Known { get; } =
    [
        ("model", JsonSchemaType.String, "Model name; the cluster's default model if it is left out."),
        ("prompt", JsonSchemaType.String, "Empty: the models understand no text."),
        ("n", JsonSchemaType.Integer, "Number of images; 1 if it is left out."),
        ("size", JsonSchemaType.String, "auto, or the model's size times a whole number up to 32, such as 256x256."),
        ("response_format", JsonSchemaType.String, "b64_json, the default, or url."),
        ("output_format", JsonSchemaType.String, "png, the default, or webp."),
        ("stream", JsonSchemaType.Boolean, "Whether the answer is server-sent events."),
        ("partial_images", JsonSchemaType.Integer, "How often a stream shows an image before it is complete, 0 … 3."),
        ("background", JsonSchemaType.String, "auto or opaque."),
        ("seed", JsonSchemaType.Integer, "The same seed gives the same image; drawn if it is left out."),
        ("temperature", JsonSchemaType.Number, "Divides the logits; 0 = greedy. 1 if it is left out."),
        ("top_k", JsonSchemaType.Integer, "Keeps the k most likely colours; 0 = all, the default."),
        ("top_p", JsonSchemaType.Number, "Keeps the smallest set of most likely colours with at least this mass; 1 if it is left out."),
        ("quality", JsonSchemaType.String, NoEffect),
        ("style", JsonSchemaType.String, NoEffect),
        ("moderation", JsonSchemaType.String, NoEffect),
        ("user", JsonSchemaType.String, NoEffect),
        ("output_compression", JsonSchemaType.Integer, NoEffect),
        ("input_fidelity", JsonSchemaType.String, NoEffect),
    ];

    /// <summary>Reads an object of JSON.</summary>
    /// <param name="json">UTF-8.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static OpenAiFields OfJson(byte[] json)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(json);
            Require.That(document.RootElement.ValueKind == JsonValueKind.Object, "body", $"must be an object; given {document.RootElement.ValueKind}");
            return Of(document.RootElement.EnumerateObject().Where(field => field.Value.ValueKind != JsonValueKind.Null).Select(field => (field.Name, field.Value.ToString())));
        }
        catch (JsonException broken)
        {
            throw Require.Invalid("body", $"must be JSON: {Echo.Cut(broken.Message, Echo.MaxLength)}");
        }
    }

    /// <summary>Reads a form's fields.</summary>
    /// <param name="form">The form.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static OpenAiFields OfForm(IFormCollection form) => Of(form.Select(field => (field.Key, field.Value.ToString())));

    /// <summary>A text; empty if it is left out.</summary>
    /// <param name="name">The field.</param>
    public string Text(string name) => values.GetValueOrDefault(name, "");

    /// <summary>Whether a switch is on.</summary>
    /// <param name="name">The field.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public bool IsOn(string name) => Text(name).Length > 0 && (bool.TryParse(Text(name), out bool isOn) ? isOn : throw Require.Invalid(name, $"must be true or false; given {Echo.Quoted(Text(name))}"));

    /// <summary>A number; null if it is left out.</summary>
    /// <typeparam name="T">Its type.</typeparam>
    /// <param name="name">The field.</param>
    /// <param name="least">Least value.</param>
    /// <param name="most">Greatest value.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public T? Number<T>(string name, T least, T most)
        where T : struct, System.Numerics.INumber<T> =>
        Text(name).Length == 0 ? null
        : T.TryParse(Text(name), NumberStyles.Float, CultureInfo.InvariantCulture, out T number) && number >= least && number <= most ? number
        : throw Require.Invalid(name, $"must be {least} … {most}; given {Echo.Quoted(Text(name))}");

    /// <summary>One of some words; the first if it is left out.</summary>
    /// <param name="name">The field.</param>
    /// <param name="words">The words.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public string Choice(string name, params string[] words) =>
        Text(name) is not { Length: > 0 } given ? words[0] : words.Contains(given) ? given : throw Require.Invalid(name, $"must be {string.Join(" or ", words)}; given {Echo.Quoted(given)}");

    static OpenAiFields Of(IEnumerable<(string Name, string Value)> given)
    {
        string[] known = [.. Known.Select(field => field.Name)];
        var values = new Dictionary<string, string>();
        foreach ((string name, string value) in given)
        {
            string nearest = NearestName.Of(name, known) is { } near ? $"; the nearest is {near}" : "";
            Require.That(known.Contains(name), Echo.Cut(name, Echo.MaxLength), $"there is no such field{nearest}: the route takes {string.Join(", ", known)}");
            if (value.Length > 0)
            {
                values[name] = value;
            }
        }

        return new OpenAiFields(values);
    }
}
