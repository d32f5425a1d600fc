using IgptCluster.Contracts;

namespace IgptCluster.Gateway.Errors;

/// <summary>Refusals of request fields.</summary>
internal static class Require
{
    /// <summary>Holds, or the request is refused.</summary>
    /// <param name="holds">The rule.</param>
    /// <param name="field">The field, in the protocol's spelling.</param>
    /// <param name="otherwise">Rule, given value and cure.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static void That(bool holds, string field, string otherwise)
    {
        if (!holds)
        {
            throw Invalid(field, otherwise);
        }
    }

    /// <summary>The refusal of a field.</summary>
    /// <param name="field">The field, in the protocol's spelling.</param>
    /// <param name="message">Rule, given value and cure.</param>
    public static IgptException Invalid(string field, string message) =>
        new(IgptErrorCode.InvalidArgument, $"{field}: {message}") { Field = field };
}
