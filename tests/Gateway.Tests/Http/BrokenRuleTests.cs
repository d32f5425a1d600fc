using IgptCluster.Gateway.Http.Problems;

namespace IgptCluster.Gateway.Tests.Http;

public sealed class BrokenRuleTests
{
    [Theory]
    [InlineData("images: 1 … 64 images are taken at once; given 0", "images", "1 … 64 images are taken at once", "0", null)]
    [InlineData("must be the name of a live silo: 'a'; given 'b: c'", "", "must be the name of a live silo: 'a'", "b: c", null)]
    [InlineData("rewinds: rewound 2 times; given 1: attach again from the prompt's end", "rewinds", "rewound 2 times", "1", "attach again from the prompt's end")]
    [InlineData("must be one of 'a' and 'b'; given 'c': leave it out", "", "must be one of 'a' and 'b'", "c", "leave it out")]
    [InlineData("no model 'x'; the cluster has 'y'", "model", "no model 'x'; the cluster has 'y'", null, null)]
    [InlineData("must be 1 … 4; given 0 s and -1 ns", "ttl", "must be 1 … 4", "0 s and -1 ns", null)]
    public void Parse_OurMessages_GivesTheirParts(string message, string field, string rule, string? value, string? cure) =>
        Assert.Equal(new BrokenRule(rule, value, cure), BrokenRule.Parse(message, field));
}
