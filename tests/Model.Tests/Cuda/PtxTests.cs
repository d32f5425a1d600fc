using System.Text.RegularExpressions;
using IgptCluster.Model.Cuda;

namespace IgptCluster.Model.Tests.Cuda;

/// <summary>What the compiler made of the kernels: a device's speed hangs on it, and no test here runs on one.</summary>
public sealed partial class PtxTests
{
    public static TheoryData<string> Kernels => [.. CudaKernels.Ptx.SelectMany(ptx => Entry().Matches(ptx).Select(match => match.Groups[1].Value))];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void Kernel_OfThePtx_SpillsNothing(string kernel)
    {
        Assert.DoesNotContain(".local", TextOf(kernel), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("attend_bf16_2", 36)] // a head of 64, two halves of 32 keys: 2 · 2 of queries, 2 · 8 of keys, 2 · 8 of values
    [InlineData("attend_bf16_3", 54)]
    [InlineData("attend_bf16_4", 72)]
    [InlineData("attend_f32", 16)]
    [InlineData("product_bf16_4x4", 24)] // the first step's and the next one's
    [InlineData("keep_bf16", 1)]
    [InlineData("copy_prefix", 1)]
    public void Kernel_ThatWaitsForMemory_LoadsSixteenBytesAtATime(string kernel, int least) =>
        Assert.True(Loads().Count(TextOf(kernel)) >= least, $"{Loads().Count(TextOf(kernel))} loads of 16 bytes");

    [Theory]
    [InlineData("product_bf16_1x2", 4)]
    [InlineData("product_bf16_2x4", 16)]
    [InlineData("product_bf16_4x4", 32)]
    public void Product_InBrainFloat_UsesTensorCores(string kernel, int products) =>
        Assert.Equal(products, TensorProducts().Count(TextOf(kernel)));

    [Theory]
    [InlineData("attend_bf16_2", 64)] // 64 keys a warp: scores in 8 tiles of 4 products each, values in 2 · 8 tiles of 2
    [InlineData("attend_bf16_3", 96)]
    [InlineData("attend_bf16_4", 128)]
    public void Attention_InBrainFloat_UsesTensorCores(string kernel, int products) =>
        Assert.Equal(products, TensorProducts().Count(TextOf(kernel)));

    static string TextOf(string kernel)
    {
        string ptx = Assert.Single(CudaKernels.Ptx, ptx => ptx.Contains($".entry {kernel}(", StringComparison.Ordinal));
        int start = ptx.IndexOf($".entry {kernel}(", StringComparison.Ordinal);
        int end = ptx.IndexOf(".entry ", start + 1, StringComparison.Ordinal);
        return end < 0 ? ptx[start..] : ptx[start..end];
    }

    [GeneratedRegex(@"\.visible \.entry (\w+)\(")]
    private static partial Regex Entry();

    [GeneratedRegex(@"ld\.global\.v4\.u32")]
    private static partial Regex Loads();

    [GeneratedRegex(@"mma\.sync\.aligned\.m16n8k16\.row\.col\.f32\.bf16\.bf16\.f32")]
    private static partial Regex TensorProducts();
}
