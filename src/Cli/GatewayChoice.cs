using System.CommandLine;
using IgptCluster.Client;
using IgptCluster.CommandLine;

namespace IgptCluster.Cli;

/// <summary>Options that say which gateways are called and how long without an answer.</summary>
internal sealed class GatewayChoice
{
    const string AddressVariable = "IGPT_ADDRESS";
    const string DefaultAddress = "http://127.0.0.1:5081";

    // Beyond this it is a mistake, and a TimeSpan has an end.
    const double MostRetrySeconds = 7 * 24 * 3600;

    readonly Option<string[]> _addresses = new("--address")
    {
        Description = $"A gateway; can be given several times, the next is called when one is gone. Default {DefaultAddress}, or what {AddressVariable} says, separated by commas.",
        DefaultValueFactory = _ => Environment.GetEnvironmentVariable(AddressVariable) is { Length: > 0 } given ? given.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries) : [DefaultAddress],
        Recursive = true,
    };

    readonly Option<double> _retry = NumberOption.Create("--retry", "Seconds to go on trying when nobody answers any more, or the cluster has no room; 0 = never.", 30, 0, MostRetrySeconds);

    internal void AddTo(Command command)
    {
        command.Add(_addresses);
        _retry.Recursive = true;
        command.Add(_retry);
    }

    /// <summary>The gateways, for messages.</summary>
    internal string Name(ParseResult parsed) => string.Join(" or ", parsed.GetValue(_addresses) ?? []);

    /// <summary>The client's options. Who mistyped an address is to know at once, so nobody waits for a first answer.</summary>
    /// <exception cref="CliException">One is malformed.</exception>
    internal IgptClientOptions Read(ParseResult parsed, Action<RetryNotice> retrying)
    {
        return new IgptClientOptions
        {
            Addresses = [.. parsed.GetRequiredValue(_addresses).Select(Address)],
            RetryLimit = TimeSpan.FromSeconds(parsed.GetValue(_retry)),
            WaitsForFirstAnswer = false,
            Retrying = retrying,
        };
    }

    /// <summary>A URL, or HOST:PORT without TLS.</summary>
    static Uri Address(string text)
    {
        string url = text.Contains("://", StringComparison.Ordinal) ? text : $"http://{text}";
        return Uri.TryCreate(url, UriKind.Absolute, out Uri? uri) && uri.Scheme is ("http" or "https") && uri.Host.Length > 0 && (url != $"http://{text}" || !uri.IsDefaultPort)
            ? uri
            : throw new CliException(ExitCode.BadInput, $"--address must be HOST:PORT or a URL such as {DefaultAddress}; given '{text}'");
    }
}
