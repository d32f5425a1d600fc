using System.Runtime.InteropServices;
using Google.Protobuf;
using IgptCluster.Gateway.Errors;
using IgptCluster.Protocol.Inference;

namespace IgptCluster.Gateway.Inference;

/// <summary>Tensors as the protocol's messages have them.</summary>
internal static class TensorMessages
{
    /// <summary>The tensors of a request.</summary>
    /// <param name="request">The request.</param>
    /// <exception cref="Contracts.IgptException">InvalidArgument.</exception>
    public static Tensor[] Inputs(ModelInferRequest request)
    {
        bool isRaw = request.RawInputContents.Count > 0;
        Require.That(
            !isRaw || request.RawInputContents.Count == request.Inputs.Count,
            "raw_input_contents",
            $"must have one entry for each of the {request.Inputs.Count} inputs; given {request.RawInputContents.Count}");
        return [.. request.Inputs.Select((input, i) => new Tensor(
            input.Name, input.Datatype, [.. input.Shape], isRaw ? request.RawInputContents[i].Memory : Pack(input.Contents ?? new InferTensorContents(), input.Datatype, input.Name)).Checked())];
    }

    /// <summary>Adds a tensor to an answer.</summary>
    /// <param name="response">The answer.</param>
    /// <param name="tensor">The tensor.</param>
    /// <param name="isRaw">Whether its elements go into raw_output_contents.</param>
    public static void Add(this ModelInferResponse response, Tensor tensor, bool isRaw)
    {
        var output = new ModelInferResponse.Types.InferOutputTensor { Name = tensor.Name, Datatype = tensor.Datatype, Shape = { tensor.Shape } };
        if (isRaw)
        {
            response.RawOutputContents.Add(UnsafeByteOperations.UnsafeWrap(tensor.Raw));
        }
        else
        {
            output.Contents = Unpack(tensor);
        }

        response.Outputs.Add(output);
    }

    static ReadOnlyMemory<byte> Pack(InferTensorContents contents, string datatype, string name) => datatype switch
    {
        "BOOL" => contents.BoolContents.Select(value => value ? (byte)1 : (byte)0).ToArray(),
        "INT8" => contents.IntContents.Select(value => unchecked((byte)value)).ToArray(),
        "UINT8" => contents.UintContents.Select(value => unchecked((byte)value)).ToArray(),
        "INT16" => Pack(contents.IntContents.Select(value => unchecked((short)value))),
        "UINT16" => Pack(contents.UintContents.Select(value => unchecked((ushort)value))),
        "INT32" => Pack(contents.IntContents),
        "UINT32" => Pack(contents.UintContents),
        "INT64" => Pack(contents.Int64Contents),
        "UINT64" => Pack(contents.Uint64Contents),
        "FP32" => Pack(contents.Fp32Contents),
        "FP64" => Pack(contents.Fp64Contents),
        _ when Tensor.SizeOf(datatype, name) is null => Tensor.Pack(contents.BytesContents.Select(value => value.ToByteArray())),
        _ => throw Require.Invalid($"inputs.{name}", $"elements of {datatype} cannot be given so"),
    };

    static byte[] Pack<T>(IEnumerable<T> values)
        where T : unmanaged => MemoryMarshal.AsBytes(values.ToArray().AsSpan()).ToArray();

    /// <summary>Outputs are of four types.</summary>
    static InferTensorContents Unpack(Tensor tensor) => tensor.Datatype switch
    {
        "FP32" => new InferTensorContents { Fp32Contents = { MemoryMarshal.Cast<byte, float>(tensor.Raw.Span).ToArray() } },
        "FP64" => new InferTensorContents { Fp64Contents = { MemoryMarshal.Cast<byte, double>(tensor.Raw.Span).ToArray() } },
        "INT32" => new InferTensorContents { IntContents = { MemoryMarshal.Cast<byte, int>(tensor.Raw.Span).ToArray() } },
        _ => new InferTensorContents { BytesContents = { tensor.Elements().Select(element => UnsafeByteOperations.UnsafeWrap(element)) } },
    };
}
