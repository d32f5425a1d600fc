using Google.Protobuf.Collections;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Inference;
using IgptCluster.Protocol.Inference;

namespace IgptCluster.Gateway.Tests;

/// <summary>What the Open Inference Protocol's requests are told of their mistakes.</summary>
public sealed class InferenceRefusalTests
{
    public static TheoryData<InferParameter, string> Given => new()
    {
        { new InferParameter { Int64Param = -1 }, "given -1" },
        { new InferParameter { BoolParam = true }, "given true" },
        { new InferParameter { DoubleParam = 0.5 }, "given 0.5" },
        { new InferParameter { StringParam = "a\n" }, @"given 'a\u000a'" },
        { new InferParameter(), "given nothing" },
    };

    [Theory]
    [MemberData(nameof(Given))]
    public void Whole_OfAnotherKind_ShowsWhatWasSent(InferParameter value, string shown)
    {
        var parameters = new InferenceParameters(new MapField<string, InferParameter> { ["layer"] = value });
        Assert.Equal($"parameters.layer: must be a whole number, at least 0; {shown}", Assert.Throws<IgptException>(() => parameters.Whole("layer")).Message);
    }

    [Theory]
    [InlineData(8589934592, 8589934592)]
    [InlineData(-1, 1)]
    [InlineData(65536, 65536)]
    public void Checked_DimensionsBeyondTheLimit_NamesIt(long height, long width)
    {
        Tensor tensor = Tensor.Of("image", "UINT8", new byte[1]) with { Shape = [height, width] };
        Assert.Contains($"must be 0 … 2147483647; given [{height}, {width}]", Assert.Throws<IgptException>(tensor.Checked).Message, StringComparison.Ordinal);
    }
}
