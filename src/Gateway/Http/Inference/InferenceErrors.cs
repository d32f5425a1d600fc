using IgptCluster.Gateway.Http.Problems;
using Microsoft.AspNetCore.Mvc;

namespace IgptCluster.Gateway.Http.Inference;

/// <summary>The member <c>error</c> in which clients of the Open Inference Protocol look for the message.</summary>
internal sealed class InferenceErrors : IProblemDialect
{
    /// <inheritdoc/>
    public void Translate(ProblemDetails problem) => problem.Extensions["error"] = problem.Detail;
}
