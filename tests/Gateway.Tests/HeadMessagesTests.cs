using Google.Rpc;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Messages;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Tests;

public sealed class HeadMessagesTests
{
    static readonly ModelDescription Model = new()
    {
        Name = "toy",
        Version = "v",
        ConfigJson = "",
        PreprocessorJson = "",
        ProbeLayer = 0,
        VocabularySize = 17,
        PositionCount = 64,
        LayerCount = 3,
        EmbeddingSize = 4,
        CanGenerate = true,
    };

    public static TheoryData<string, string, Action<PutHeadRequest>> Broken => new()
    {
        { "head", "given ''", request => request.Head = "" },
        { "head", "given 'a b'", request => request.Head = "a b" },
        { "head", "given '.hidden'", request => request.Head = ".hidden" },
        { "head", "given 'é'", request => request.Head = "é" },
        { "head", "1 … 64", request => request.Head = new string('x', 65) },
        { "head", "(5,000 characters)", request => request.Head = new string('x', 5000) },
        { "layer", "0 … 3; given 4", request => request.Layer = 4 },
        { "layer", "given 2147483647", request => request.Layer = uint.MaxValue },
        { "labels[1]", "given 0", request => request.Labels[1] = "" },
        { "labels[1]", @"given '\u001b[2J\u000aigpt: fake'", request => request.Labels[1] = "\u001b[2J\nigpt: fake" },
        { "labels[0]", "given 257", request => request.Labels[0] = new string('x', 257) },
        { "weight", "2 × 4 = 8 values, row by row; given 9", request => request.Weight.Add(0) },
        { "weight", "given 0", request => request.Weight.Clear() },
        { "weight[6]", "given NaN", request => request.Weight[6] = float.NaN },
        { "weight[2]", "given Infinity and 1 more", request => (request.Weight[2], request.Weight[7]) = (float.PositiveInfinity, float.NegativeInfinity) },
        { "bias", "one value per label, 2, or be left out; given 1", request => request.Bias.RemoveAt(1) },
        { "bias[1]", "given -Infinity", request => request.Bias[1] = float.NegativeInfinity },
    };

    [Theory]
    [MemberData(nameof(Broken))]
    public void ToSpec_BrokenRule_NamesFieldRuleAndValue(string field, string words, Action<PutHeadRequest> damage)
    {
        PutHeadRequest request = Request();
        damage(request);
        IgptException refused = Assert.Throws<IgptException>(() => request.ToSpec(Model));
        Assert.Equal(IgptErrorCode.InvalidArgument, refused.Code);
        FieldViolation violation = Assert.Single(refused.Violations);
        Assert.Equal(field, violation.Field);
        Assert.Contains(words, violation.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void ToSpec_SeveralBrokenRules_AreAllDetailsOfTheStatus()
    {
        PutHeadRequest request = Request();
        (request.Head, request.Layer) = ("", 9);
        request.Labels.Clear();
        RpcException refused = Assert.Throws<IgptException>(() => request.ToSpec(Model)).ToRpcException();
        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        BadRequest details = refused.GetRpcStatus()!.GetDetail<BadRequest>()!;
        Assert.Equal(["head", "layer", "labels", "weight", "bias"], details.FieldViolations.Select(violation => violation.Field));
        Assert.All(details.FieldViolations, violation => Assert.Contains($"{violation.Field}: {violation.Description}", refused.Status.Detail, StringComparison.Ordinal));
    }

    [Fact]
    public void ToSpec_MoreThanAHeadHolds_SaysWhatToDo()
    {
        PutHeadRequest request = Request();
        request.Labels.AddRange(Enumerable.Repeat("x", HeadRules.MaxLabels));
        IgptException refused = Assert.Throws<IgptException>(() => request.ToSpec(Model with { EmbeddingSize = 1536 }));
        Assert.Contains("labels: a head has 1 … 100,000 labels; given 100,002", refused.Message, StringComparison.Ordinal);
        Assert.Contains("divide the labels among several heads", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shapes", 0)]
    [InlineData("9.v2_final-B", 3)]
    public void ToSpec_FineHead_KeepsEverything(string name, uint layer)
    {
        PutHeadRequest request = Request();
        (request.Head, request.Layer) = (name, layer);
        HeadSpec head = request.ToSpec(Model);
        Assert.Equal((name, (int)layer), (head.Name, head.Layer));
        Assert.Equal(request.Labels, head.Labels);
        Assert.Equal(request.Weight, head.Weight);
        Assert.Equal(request.Bias, head.Bias);
        request.Bias.Clear();
        Assert.Empty(request.ToSpec(Model).Bias);
    }

    [Fact]
    public void ToMessage_Head_SaysWhetherItBelongsToTheCheckpoint()
    {
        var own = new HeadDescription("classifier", 3, ["a", "b"], IsReadOnly: true);
        Assert.Equal(new Head { Name = "classifier", Layer = 3, Labels = { "a", "b" }, ReadOnly = true }, own.ToMessage());
        Assert.False((own with { IsReadOnly = false }).ToMessage().ReadOnly);
    }

    static PutHeadRequest Request() => new()
    {
        Head = "shapes",
        Layer = 2,
        Labels = { "round", "square" },
        Weight = { Enumerable.Range(0, 8).Select(i => i / 2f) },
        Bias = { 1, -1 },
    };
}
