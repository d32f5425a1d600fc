using Google.Rpc;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;

namespace IgptCluster.Gateway.Tests;

public sealed class ErrorStatusTests
{
    public static TheoryData<IgptErrorCode> Codes => [.. Enum.GetValues<IgptErrorCode>()];

    [Theory]
    [MemberData(nameof(Codes))]
    public void ToRpcException_EveryCode_HasAStatusAndItsReason(IgptErrorCode code)
    {
        RpcException exception = new IgptException(code, "what happened").ToRpcException();
        Assert.NotEqual(StatusCode.OK, exception.StatusCode);
        Assert.NotEqual(StatusCode.Unknown, exception.StatusCode);
        Assert.Equal("what happened", exception.Status.Detail);
        ErrorInfo info = exception.GetRpcStatus()!.GetDetail<ErrorInfo>()!;
        Assert.Equal("igpt", info.Domain);
        Assert.Equal(code.ToString().ToUpperInvariant(), info.Reason.Replace("_", "", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(IgptErrorCode.InvalidArgument, StatusCode.InvalidArgument)]
    [InlineData(IgptErrorCode.ModelNotFound, StatusCode.NotFound)]
    [InlineData(IgptErrorCode.HeadNotFound, StatusCode.NotFound)]
    [InlineData(IgptErrorCode.SessionNotFound, StatusCode.NotFound)]
    [InlineData(IgptErrorCode.Overloaded, StatusCode.ResourceExhausted)]
    [InlineData(IgptErrorCode.NoReplica, StatusCode.Unavailable)]
    [InlineData(IgptErrorCode.StoreUnavailable, StatusCode.Unavailable)]
    [InlineData(IgptErrorCode.Draining, StatusCode.Unavailable)]
    [InlineData(IgptErrorCode.DeadlineExceeded, StatusCode.DeadlineExceeded)]
    [InlineData(IgptErrorCode.HeadReadOnly, StatusCode.FailedPrecondition)]
    [InlineData(IgptErrorCode.StoreFull, StatusCode.ResourceExhausted)]
    [InlineData(IgptErrorCode.DataLoss, StatusCode.DataLoss)]
    [InlineData(IgptErrorCode.Internal, StatusCode.Internal)]
    public void CodeOf_ContractsErrors_IsTheContractsStatus(IgptErrorCode code, StatusCode status) => Assert.Equal(status, ErrorStatus.CodeOf(code));

    [Theory]
    [MemberData(nameof(Codes))]
    public void ToRpcException_NoDelayGiven_HasOneWhereTryingAgainMayHelp(IgptErrorCode code)
    {
        RetryInfo? retry = new IgptException(code, "what happened").ToRpcException().GetRpcStatus()!.GetDetail<RetryInfo>();
        bool mayHelp = code is IgptErrorCode.Overloaded or IgptErrorCode.NoReplica or IgptErrorCode.Draining or IgptErrorCode.StoreUnavailable;
        Assert.Equal(mayHelp, retry?.RetryDelay.ToTimeSpan() > TimeSpan.Zero);
    }

    [Fact]
    public void ToRpcException_FieldAndDelay_AreDetails()
    {
        Google.Rpc.Status status = new IgptException(IgptErrorCode.InvalidArgument, "too many") { Field = "images", RetryAfter = TimeSpan.FromSeconds(2) }.ToRpcException().GetRpcStatus()!;
        BadRequest.Types.FieldViolation violation = Assert.Single(status.GetDetail<BadRequest>()!.FieldViolations);
        Assert.Equal(("images", "too many"), (violation.Field, violation.Description));
        Assert.Equal(2, status.GetDetail<RetryInfo>()!.RetryDelay.Seconds);
    }

    public static TheoryData<string> HugeTexts => [new string('x', 1 << 20), new string('ö', 4000), string.Concat(Enumerable.Repeat("🎨", 4000)), new string('%', 4000), $"x{new string('\0', 4000)}"];

    [Theory]
    [MemberData(nameof(HugeTexts))]
    public void ToRpcException_HugeMessage_StaysBelowFourKilobytes(string text)
    {
        FieldViolation[] violations = [.. Enumerable.Range(0, 1000).Select(i => new FieldViolation($"labels[{i}].{text}", $"{i} {text}"))];
        Assert.InRange(TrailerBytes(new IgptException(IgptErrorCode.ModelNotFound, text) { Field = text }), 1000, 4096);
        Assert.InRange(TrailerBytes(new IgptException(IgptErrorCode.InvalidArgument, text) { Field = text }), 1000, 4096);
        Assert.InRange(TrailerBytes(new IgptException(IgptErrorCode.InvalidArgument, text) { Violations = [.. violations], RetryAfter = TimeSpan.FromDays(1000) }), 1000, 4096);
    }

    [Fact]
    public void ToRpcException_MessageThatFits_IsWhole()
    {
        string message = new('x', 1000);
        Assert.Equal(message, new IgptException(IgptErrorCode.ModelNotFound, message).ToRpcException().Status.Detail);
    }

    /// <summary>What the status adds to a response's trailers.</summary>
    static int TrailerBytes(IgptException failure)
    {
        RpcException exception = failure.ToRpcException();
        int details = exception.Trailers.Sum(entry => entry.IsBinary ? (entry.ValueBytes.Length + 2) / 3 * 4 : entry.Value.Length);
        return Uri.EscapeDataString(exception.Status.Detail).Length + details;
    }
}
