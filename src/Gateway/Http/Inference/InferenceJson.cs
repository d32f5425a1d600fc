using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using Google.Protobuf;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Inference;
using IgptCluster.Protocol.Inference;

namespace IgptCluster.Gateway.Http.Inference;

/// <summary>Requests and answers of the Open Inference Protocol as JSON, with tensors as lists, or as bytes behind the JSON (<c>binary_tensor_data</c>).</summary>
internal static class InferenceJson
{
    const string BinarySize = "binary_data_size";
    const string Binary = "binary_data";

    /// <summary>Reads a request. Its tensors become raw contents.</summary>
    /// <param name="body">The body.</param>
    /// <param name="jsonLength">Bytes of JSON at its beginning.</param>
    /// <param name="binaryOutputs">Names of the outputs that are wanted as bytes; null: all.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static ModelInferRequest Read(ReadOnlyMemory<byte> body, int jsonLength, out HashSet<string>? binaryOutputs)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(body[..jsonLength]);
            JsonElement root = document.RootElement;
            var request = new ModelInferRequest { Id = root.TryGetProperty("id", out JsonElement id) ? id.GetString() ?? "" : "" };
            Copy(root, request.Parameters);
            ReadOnlyMemory<byte> rest = body[jsonLength..];
            foreach (JsonElement input in Member(root, "inputs", "body").EnumerateArray())
            {
                var tensor = new ModelInferRequest.Types.InferInputTensor
                {
                    Name = Member(input, "name", "inputs").GetString() ?? "",
                    Datatype = Member(input, "datatype", "inputs").GetString() ?? "",
                    Shape = { Member(input, "shape", "inputs").EnumerateArray().Select(side => side.GetInt64()) },
                };
                request.Inputs.Add(tensor);
                if (Parameter(input, BinarySize) is { } size)
                {
                    Require.That(size.TryGetInt32(out int bytes) && bytes >= 0 && bytes <= rest.Length, $"inputs.{tensor.Name}", $"{BinarySize} must be at most the {rest.Length} bytes that are left behind the JSON; given {size}");
                    request.RawInputContents.Add(UnsafeByteOperations.UnsafeWrap(rest[..size.GetInt32()]));
                    rest = rest[size.GetInt32()..];
                }
                else
                {
                    request.RawInputContents.Add(UnsafeByteOperations.UnsafeWrap(Pack(Member(input, "data", "inputs"), tensor.Datatype, tensor.Name)));
                }
            }

            Require.That(rest.Length == 0, "inputs", $"every byte behind the JSON must belong to an input with {BinarySize}; given {rest.Length} more");
            bool isAllBinary = Parameter(root, "binary_data_output") is { ValueKind: JsonValueKind.True };
            binaryOutputs = isAllBinary ? null : [];
            foreach (JsonElement output in root.TryGetProperty("outputs", out JsonElement outputs) ? outputs.EnumerateArray() : default)
            {
                string name = Member(output, "name", "outputs").GetString() ?? "";
                request.Outputs.Add(new ModelInferRequest.Types.InferRequestedOutputTensor { Name = name });
                if (Parameter(output, Binary) is { ValueKind: JsonValueKind.True })
                {
                    binaryOutputs?.Add(name);
                }
            }

            return request;
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException or FormatException)
        {
            throw Require.Invalid("body", $"must be an inference request: inputs with name, datatype, shape and data; {Echo.Cut(broken.Message, Echo.MaxLength)}");
        }
    }

    /// <summary>Writes an answer whose tensors are raw.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="binaryOutputs">As read.</param>
    /// <returns>The JSON, and the bytes behind it.</returns>
    public static (byte[] Json, byte[] Tensors) Write(ModelInferResponse response, HashSet<string>? binaryOutputs)
    {
        using var json = new MemoryStream();
        using var rest = new MemoryStream();
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteString("model_name", response.ModelName);
            writer.WriteString("model_version", response.ModelVersion);
            writer.WriteString("id", response.Id);
            writer.WriteStartArray("outputs");
            for (int i = 0; i < response.Outputs.Count; i++)
            {
                ModelInferResponse.Types.InferOutputTensor output = response.Outputs[i];
                writer.WriteStartObject();
                writer.WriteString("name", output.Name);
                writer.WriteString("datatype", output.Datatype);
                writer.WritePropertyName("shape");
                JsonSerializer.Serialize(writer, output.Shape.ToArray());
                if (binaryOutputs?.Contains(output.Name) ?? true)
                {
                    writer.WriteStartObject("parameters");
                    writer.WriteNumber(BinarySize, response.RawOutputContents[i].Length);
                    writer.WriteEndObject();
                    rest.Write(response.RawOutputContents[i].Span);
                }
                else
                {
                    writer.WritePropertyName("data");
                    WriteData(writer, new Tensor(output.Name, output.Datatype, [.. output.Shape], response.RawOutputContents[i].Memory));
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return (json.ToArray(), rest.ToArray());
    }

    static void WriteData(Utf8JsonWriter writer, Tensor tensor)
    {
        switch (tensor.Datatype)
        {
            case "FP32":
                JsonSerializer.Serialize(writer, MemoryMarshal.Cast<byte, float>(tensor.Raw.Span).ToArray());
                break;
            case "FP64":
                JsonSerializer.Serialize(writer, MemoryMarshal.Cast<byte, double>(tensor.Raw.Span).ToArray());
                break;
            case "INT32":
                JsonSerializer.Serialize(writer, MemoryMarshal.Cast<byte, int>(tensor.Raw.Span).ToArray());
                break;
            default:
                // Text as it is; files, which are none, as base64.
                JsonSerializer.Serialize(writer, tensor.Elements().Select(element => tensor.Name == "label" ? System.Text.Encoding.UTF8.GetString(element) : Convert.ToBase64String(element)));
                break;
        }
    }

    static byte[] Pack(JsonElement data, string datatype, string name) => datatype switch
    {
        "BOOL" => [.. Flat(data).Select(value => value.GetBoolean() ? (byte)1 : (byte)0)],
        "INT8" => [.. Flat(data).Select(value => unchecked((byte)value.GetSByte()))],
        "UINT8" => [.. Flat(data).Select(value => value.GetByte())],
        "INT16" => Pack(data, value => value.GetInt16()),
        "UINT16" => Pack(data, value => value.GetUInt16()),
        "INT32" => Pack(data, value => value.GetInt32()),
        "UINT32" => Pack(data, value => value.GetUInt32()),
        "INT64" => Pack(data, value => value.GetInt64()),
        "UINT64" => Pack(data, value => value.GetUInt64()),
        "FP32" => Pack(data, value => value.GetSingle()),
        "FP64" => Pack(data, value => value.GetDouble()),
        _ when Tensor.SizeOf(datatype, name) is null => Tensor.Pack(Flat(data).Select((value, i) => File(value, $"inputs.{name}[{i}]"))),
        _ => throw Require.Invalid($"inputs.{name}", $"elements of {datatype} cannot be given as JSON"),
    };

    static byte[] Pack<T>(JsonElement data, Func<JsonElement, T> read)
        where T : unmanaged => MemoryMarshal.AsBytes(Flat(data).Select(read).ToArray().AsSpan()).ToArray();

    /// <summary>JSON has no bytes: files are base64.</summary>
    static byte[] File(JsonElement value, string field) => value.TryGetBytesFromBase64(out byte[]? bytes) ? bytes : throw Require.Invalid(field, "an element of BYTES must be base64 in JSON");

    /// <summary>Tensors may be nested lists, one level for each dimension, or flat.</summary>
    static IEnumerable<JsonElement> Flat(JsonElement data) => data.ValueKind == JsonValueKind.Array ? data.EnumerateArray().SelectMany(Flat) : [data];

    static JsonElement? Parameter(JsonElement of, string name) => of.TryGetProperty("parameters", out JsonElement parameters) && parameters.TryGetProperty(name, out JsonElement value) ? value : null;

    static JsonElement Member(JsonElement of, string name, string field) => of.TryGetProperty(name, out JsonElement value) ? value : throw Require.Invalid(field, $"must have the member {name}; given none");

    static void Copy(JsonElement root, Google.Protobuf.Collections.MapField<string, InferParameter> parameters)
    {
        foreach (JsonProperty given in root.TryGetProperty("parameters", out JsonElement all) ? all.EnumerateObject() : default)
        {
            parameters[given.Name] = given.Value.ValueKind switch
            {
                JsonValueKind.True or JsonValueKind.False => new InferParameter { BoolParam = given.Value.GetBoolean() },
                JsonValueKind.String => new InferParameter { StringParam = given.Value.GetString() },
                JsonValueKind.Number when given.Value.TryGetInt64(out long whole) => new InferParameter { Int64Param = whole },
                JsonValueKind.Number when given.Value.TryGetUInt64(out ulong large) => new InferParameter { Uint64Param = large },
                JsonValueKind.Number => new InferParameter { DoubleParam = given.Value.GetDouble() },
                _ => throw Require.Invalid($"parameters.{given.Name}", string.Create(CultureInfo.InvariantCulture, $"must be a number, a text, true or false; given {given.Value.ValueKind}")),
            };
        }
    }
}
