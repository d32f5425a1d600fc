using System.Text;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Rpc;
using Grpc.Core;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using Microsoft.AspNetCore.Grpc.JsonTranscoding;

namespace IgptCluster.Gateway.Http.Problems;

/// <summary>Gives every HTTP request that fails a problem as its answer: those of transcoded calls, of our own endpoints, and of requests that no endpoint takes.</summary>
/// <param name="next">What answers the request.</param>
/// <param name="errors">Tells what is a bug.</param>
internal sealed class ProblemResponses(RequestDelegate next, ErrorInterceptor errors)
{
    const string Grpc = "application/grpc";

    /// <summary>The details that statuses carry.</summary>
    internal static TypeRegistry Details { get; } = TypeRegistry.FromMessages(ErrorInfo.Descriptor, BadRequest.Descriptor, RetryInfo.Descriptor);

    static readonly JsonParser Parser = new(JsonParser.Settings.Default.WithTypeRegistry(Details));

    /// <summary>Answers a request.</summary>
    /// <param name="context">The request.</param>
    public async Task InvokeAsync(HttpContext context)
    {
        if (context.Request.ContentType?.StartsWith(Grpc, StringComparison.OrdinalIgnoreCase) ?? false)
        {
            await next(context);
            return;
        }

        try
        {
            await (context.GetEndpoint()?.Metadata.GetMetadata<GrpcJsonTranscodingMetadata>() is null ? AnswerAsync(context) : TranscodeAsync(context));
        }
        catch (Exception failure) when (!context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
        {
            await Problem.WriteAsync(context, failure switch
            {
                RpcException status => Problem.Of(status),
                IgptException { Code: not IgptErrorCode.Internal } igpt => Problem.Of(igpt.ToRpcException()),
                BadHttpRequestException bad => Problem.Of(bad.StatusCode, Words(bad), FieldOf(bad)),
                _ => Problem.Of(errors.Bug(failure, context.Request.Path).ToRpcException()),
            });
        }
    }

    async Task AnswerAsync(HttpContext context)
    {
        await next(context);
        if (context.Response is { HasStarted: false, StatusCode: >= StatusCodes.Status400BadRequest, ContentType: null })
        {
            await Problem.WriteAsync(context, Problem.Of(context.Response.StatusCode, Unanswered(context)));
        }
    }

    async Task TranscodeAsync(HttpContext context)
    {
        Stream own = context.Response.Body;
        var body = new FailureBody(context.Response, own);
        context.Response.Body = body;
        try
        {
            await next(context);
        }
        finally
        {
            context.Response.Body = own;
        }

        if (body.Kept.Length > 0 && !context.RequestAborted.IsCancellationRequested)
        {
            await Problem.WriteAsync(context, Problem.Of(Parser.Parse<Google.Rpc.Status>(Encoding.UTF8.GetString(body.Kept.GetBuffer().AsSpan(0, (int)body.Kept.Length)))));
        }
    }

    /// <summary>The header that a refusal of ours begins with.</summary>
    static string FieldOf(BadHttpRequestException bad) => bad.Message.Split(": ", 2) is [{ } header, _] && header.All(letter => char.IsAsciiLetterLower(letter) || letter == '-') ? header : "";

    static string Words(BadHttpRequestException bad) =>
        bad.StatusCode == StatusCodes.Status413PayloadTooLarge ? "the body must be at most as large as this gateway takes (Igpt:Gateway:MaxRequestBytes); given more: send fewer or smaller images" : bad.Message;

    static string Unanswered(HttpContext context)
    {
        string request = Echo.Quoted($"{context.Request.Method} {context.Request.Path}");
        return context.Response.StatusCode switch
        {
            StatusCodes.Status404NotFound => $"there must be a route for the request; given {request}: /openapi/v1.json lists all routes",
            StatusCodes.Status405MethodNotAllowed => $"the method must be one that the route takes, {context.Response.Headers.Allow}; given {request}: /openapi/v1.json lists all routes",
            StatusCodes.Status415UnsupportedMediaType => $"the body must be of a type that the route takes; given content-type {Echo.Quoted(context.Request.ContentType ?? "")}",
            int status => $"the request could not be answered ({status}); given {request}",
        };
    }
}
