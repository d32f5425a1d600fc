using Google.Rpc;

namespace IgptCluster.Cli;

/// <summary>The options that fill the protocol's fields: who typed an option is told of that, and not of a field.</summary>
internal static class OptionNames
{
    static readonly Dictionary<string, string> Options = new()
    {
        ["sampling.temperature"] = "--temperature",
        ["sampling.top_k"] = "--top-k",
        ["sampling.top_p"] = "--top-p",
        ["sampling.seed"] = "--seed",
        ["forced"] = "--force",
        ["model"] = "the model's name",
        ["head"] = "the head's name",
        ["more_heads"] = "--more-heads",
        ["layer"] = "--layer",
        ["top_k"] = "--top",
        ["samples"] = "--samples",
        ["max_new_tokens"] = "--max-new-tokens",
        ["prompt_tokens"] = "--keep",
        ["prompt"] = "the image",
        ["session_ttl"] = "--ttl",
        ["priority"] = "--priority",
        ["session_id"] = "the session's id",
        ["at_position"] = "--at",
        ["to_position"] = "--to",
        ["from_position"] = "--from",
        ["replicas"] = "the number of replicas",
        ["source"] = "the path",
        ["dtype"] = "--dtype",
        ["kv_dtype"] = "--kv-dtype",
        ["silo"] = "the silo's name",
    };

    /// <summary>A refusal in the words of the command line.</summary>
    /// <param name="message">The gateway's message; it begins with the field, or names several.</param>
    /// <param name="status">Its details, which tell the fields.</param>
    internal static string InUsersWords(string message, Status? status)
    {
        foreach (string field in status?.GetDetail<BadRequest>()?.FieldViolations.Select(violation => violation.Field) ?? [])
        {
            // An index or what is below it stays: forced[3].token is --force[3].token.
            string name = Options.Keys.Where(key => field == key || field.StartsWith($"{key}[", StringComparison.Ordinal) || field.StartsWith($"{key}.", StringComparison.Ordinal))
                .MaxBy(key => key.Length) ?? "";
            if (name.Length > 0)
            {
                message = message.Replace($"{field}: ", $"{Options[name]}{field[name.Length..]}: ", StringComparison.Ordinal);
            }
        }

        return message;
    }
}
