using System.Net;
using IgptCluster.Gateway.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace IgptCluster.Gateway.Tests.Http;

public sealed class BrowserGuardTests
{
    static readonly GatewayOptions Named = new() { AllowedHosts = { "igpt.example.com", "*.lab.example.com" }, AllowedOrigins = { "https://app.example.com" } };

    [Theory]
    [InlineData("localhost:5080", true)]
    [InlineData("127.0.0.1:5080", true)]
    [InlineData("[::1]:5080", true)]
    [InlineData("studio.localhost:5080", true)]
    [InlineData("evil.example.com", false)]
    [InlineData("127.0.0.1.evil.example.com", false)]
    [InlineData("localhost.evil.example.com:5080", false)]
    [InlineData("igpt.example.com", false)]
    public async Task Invoke_OnTheLoopback_TakesItsNamesAlone(string host, bool isTaken) => Assert.Equal(isTaken, await IsTakenAsync(new GatewayOptions(), host));

    [Theory]
    [InlineData("igpt.example.com:5080", true)]
    [InlineData("gpu7.lab.example.com", true)]
    [InlineData("localhost", true)]
    [InlineData("evil.example.com", false)]
    public async Task Invoke_NamesAreConfigured_TakesThoseOnAnyAddress(string host, bool isTaken)
    {
        Assert.Equal(isTaken, await IsTakenAsync(Named, host));
        Assert.Equal(isTaken, await IsTakenAsync(Named, host, address: "192.0.2.7"));
    }

    [Fact]
    public async Task Invoke_OnAnotherAddress_TakesAnyName() => Assert.True(await IsTakenAsync(new GatewayOptions(), "whatever.example.com", address: "192.0.2.7"));

    [Theory]
    [InlineData("http://localhost:5080", null, true)]
    [InlineData("https://localhost:5080", null, true)]
    [InlineData("http://localhost:3000", null, false)]
    [InlineData("https://evil.example.com", null, false)]
    [InlineData("null", null, false)]
    [InlineData(null, "cross-site", false)]
    [InlineData(null, "same-site", false)]
    [InlineData(null, "same-origin", true)]
    [InlineData(null, "none", true)]
    [InlineData("https://evil.example.com", "cross-site", false)]
    [InlineData(null, null, true)]
    public async Task Invoke_RequestOfAPage_IsTakenFromItsOwnAlone(string? origin, string? site, bool isTaken)
    {
        Assert.Equal(isTaken, await IsTakenAsync(new GatewayOptions(), "localhost:5080", origin, site));
        Assert.Equal(isTaken, await IsTakenAsync(new GatewayOptions(), "localhost:5080", origin, site, contentType: "application/grpc-web"));
    }

    [Theory]
    [InlineData("https://app.example.com", true)]
    [InlineData("https://other.example.com", false)]
    public async Task Invoke_OriginsAreConfigured_TakesThose(string origin, bool isTaken) => Assert.Equal(isTaken, await IsTakenAsync(Named, "igpt.example.com", origin, "cross-site"));

    [Theory]
    [InlineData("document", true)]
    [InlineData("iframe", false)]
    [InlineData("image", false)]
    public async Task Invoke_LinkOnAnotherPage_MayBeFollowed(string destination, bool isTaken) =>
        Assert.Equal(isTaken, await IsTakenAsync(new GatewayOptions(), "localhost:5080", null, "cross-site", destination: destination));

    static async Task<bool> IsTakenAsync(
        GatewayOptions options, string host, string? origin = null, string? site = null, string address = "127.0.0.1", string? contentType = null, string? destination = null)
    {
        bool isTaken = false;
        var context = new DefaultHttpContext { RequestServices = new ServiceCollection().AddLogging().BuildServiceProvider() };
        context.Connection.LocalIpAddress = IPAddress.Parse(address);
        context.Request.Method = destination is null ? "POST" : "GET";
        context.Request.ContentType = contentType;
        context.Request.Host = new HostString(host);
        foreach ((string name, string? value) in new[] { ("Origin", origin), ("Sec-Fetch-Site", site), ("Sec-Fetch-Mode", destination is null ? null : "navigate"), ("Sec-Fetch-Dest", destination) })
        {
            if (value is not null)
            {
                context.Request.Headers[name] = value;
            }
        }

        await new BrowserGuard(Take, Options.Create(options)).InvokeAsync(context);
        Assert.Equal(isTaken ? StatusCodes.Status200OK : StatusCodes.Status403Forbidden, context.Response.StatusCode);
        return isTaken;

        Task Take(HttpContext taken)
        {
            isTaken = true;
            return Task.CompletedTask;
        }
    }
}
