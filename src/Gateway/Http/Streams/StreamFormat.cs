using Microsoft.Net.Http.Headers;

namespace IgptCluster.Gateway.Http.Streams;

/// <summary>How a stream is written.</summary>
internal enum StreamFormat
{
    /// <summary>text/event-stream.</summary>
    ServerSentEvents,

    /// <summary>application/x-ndjson: a line of JSON per event.</summary>
    JsonLines,
}

/// <summary>Chooses a stream's format.</summary>
internal static class StreamFormats
{
    /// <summary>The type of newline-delimited JSON.</summary>
    public const string JsonLines = "application/x-ndjson";

    static readonly MediaTypeHeaderValue Events = new("text/event-stream");
    static readonly MediaTypeHeaderValue Lines = new(JsonLines);

    /// <summary>The format that a client prefers; server-sent events if it does not say.</summary>
    /// <param name="request">The request.</param>
    /// <exception cref="BadHttpRequestException">406: it takes neither.</exception>
    public static StreamFormat Of(HttpRequest request)
    {
        IList<MediaTypeHeaderValue> accepted = request.GetTypedHeaders().Accept;
        if (accepted.Count == 0)
        {
            return StreamFormat.ServerSentEvents;
        }

        foreach (MediaTypeHeaderValue one in accepted.Where(one => one.Quality != 0).OrderByDescending(one => one.Quality ?? 1))
        {
            if (Events.IsSubsetOf(one) || Lines.IsSubsetOf(one))
            {
                return Events.IsSubsetOf(one) ? StreamFormat.ServerSentEvents : StreamFormat.JsonLines;
            }
        }

        throw new BadHttpRequestException(
            $"accept: must name text/event-stream or {JsonLines}; given {Contracts.Echo.Quoted(request.Headers.Accept.ToString())}", StatusCodes.Status406NotAcceptable);
    }
}
