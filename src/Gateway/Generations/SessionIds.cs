using System.Security.Cryptography;
using System.Text;
using IgptCluster.Contracts;

namespace IgptCluster.Gateway.Generations;

/// <summary>Ids of new sessions.</summary>
internal static class SessionIds
{
    const int Bytes = 16;

    /// <summary>The id of one sample of a request: the same for the same operation, and as hard to guess as the operation's id.</summary>
    /// <param name="operation">The request's operation id; empty: a new id each time.</param>
    /// <param name="sample">Which sample.</param>
    public static SessionId Of(string operation, int sample) => operation.Length == 0 ? SessionId.New() : From($"{sample}\n{operation}");

    /// <summary>The id of a fork: the same for the same operation on the same parent.</summary>
    /// <param name="parent">The session that is forked.</param>
    /// <param name="operation">The request's operation id; empty: a new id each time.</param>
    public static SessionId OfFork(SessionId parent, string operation) => operation.Length == 0 ? SessionId.New() : From($"fork\n{parent}\n{operation}");

    static SessionId From(string text) => new(Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)).AsSpan(0, Bytes)));
}
