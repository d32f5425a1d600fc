using IgptCluster.Contracts;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Protocol.V1;
using Microsoft.AspNetCore.WebUtilities;

namespace IgptCluster.Gateway.Tests.Http;

public sealed class QueryFieldsTests
{
    [Theory]
    [InlineData("?from_position=3&stream.omit_rgb=true&stream.png_scale=4&rewinds=0")]
    [InlineData("?fromPosition=3&stream.omitRgb=True&stream.pngScale=4&rewinds=0")]
    public void Read_BothSpellings_SetTheFields(string query)
    {
        var expected = new AttachRequest { FromPosition = 3, Rewinds = 0, Stream = new StreamOptions { OmitRgb = true, PngScale = 4 } };
        var request = new AttachRequest();
        QueryFields.Read(Parse(query), request);
        Assert.Equal(expected, request);
    }

    [Fact]
    public void Read_EnumsByName_AreTaken()
    {
        var request = new ListSessionsRequest();
        QueryFields.Read(Parse("?state=SESSION_STATE_PAUSED"), request);
        Assert.Equal(SessionState.Paused, request.State);
    }

    [Theory]
    [InlineData("?limt=1", "limt", "the nearest is limit")]
    [InlineData("?limit=-1", "limit", "given '-1'")]
    [InlineData("?limit=1&limit=2", "limit", "given 2 times")]
    [InlineData("?state=paused", "state", "SESSION_STATE_PAUSED")]
    [InlineData("?limit.x=1", "limit.x", "no such parameter")]
    public void Read_WhatCannotBe_IsRefusedByName(string query, string field, string words)
    {
        IgptException refused = Assert.Throws<IgptException>(() => QueryFields.Read(Parse(query), new ListSessionsRequest()));
        Assert.Equal((IgptErrorCode.InvalidArgument, field), (refused.Code, refused.Field));
        Assert.Contains(words, refused.Message, StringComparison.Ordinal);
    }

    static Microsoft.AspNetCore.Http.QueryCollection Parse(string query) => new(QueryHelpers.ParseQuery(query));
}
