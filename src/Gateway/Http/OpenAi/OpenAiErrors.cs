using IgptCluster.Gateway.Http.Problems;
using Microsoft.AspNetCore.Mvc;

namespace IgptCluster.Gateway.Http.OpenAi;

/// <summary>The member <c>error</c> in which OpenAI's clients look for the message.</summary>
internal sealed class OpenAiErrors : IProblemDialect
{
    /// <inheritdoc/>
    public void Translate(ProblemDetails problem) => problem.Extensions["error"] = new Dictionary<string, object?>
    {
        ["message"] = problem.Detail,
        ["type"] = problem.Status switch
        {
            StatusCodes.Status429TooManyRequests => "rate_limit_error",
            >= StatusCodes.Status500InternalServerError => "server_error",
            _ => "invalid_request_error",
        },
        ["param"] = problem.Extensions.TryGetValue("field", out object? field) ? field : null,
        ["code"] = (problem.Extensions["code"] as string)?.ToLowerInvariant(),
    };
}
