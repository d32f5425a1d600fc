using Microsoft.AspNetCore.Mvc;

namespace IgptCluster.Gateway.Http.Problems;

/// <summary>What the clients of a route of somebody else's protocol look for in a failure. Metadata of its endpoints.</summary>
internal interface IProblemDialect
{
    /// <summary>Adds it to a problem.</summary>
    /// <param name="problem">What is wrong.</param>
    void Translate(ProblemDetails problem);
}
