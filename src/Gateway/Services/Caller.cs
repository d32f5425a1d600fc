using System.Net;
using Grpc.Core;
using IgptCluster.Gateway.Errors;

namespace IgptCluster.Gateway.Services;

/// <summary>Who calls.</summary>
internal static class Caller
{
    /// <summary>The header in which a client names itself; who does not is known by its IP address.</summary>
    public const string Header = "igpt-client";

    const int Longest = 128;

    /// <summary>The client: those of equal priority share a device evenly.</summary>
    /// <param name="context">The call.</param>
    /// <exception cref="Contracts.IgptException">InvalidArgument: the name is too long.</exception>
    public static string Of(ServerCallContext context)
    {
        string? name = context.RequestHeaders.GetValue(Header);
        Require.That(name is null || name.Length <= Longest, Header, $"a client's name has at most {Longest} characters; given {name?.Length}");
        return name ?? (context.GetHttpContext().Connection.RemoteIpAddress ?? IPAddress.None).ToString();
    }
}
