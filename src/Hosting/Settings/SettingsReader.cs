using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Microsoft.Extensions.Configuration;

namespace IgptCluster.Hosting.Settings;

/// <summary>Reads a process's settings section by section and tells all that is wrong with them at once: unknown names, values of another kind, broken rules.</summary>
/// <param name="configuration">Files, environment and command line.</param>
public sealed class SettingsReader(IConfiguration configuration)
{
    readonly Dictionary<string, Type> _sections = new(StringComparer.OrdinalIgnoreCase);
    readonly List<string> _broken = [];

    /// <summary>Reads a section.</summary>
    /// <typeparam name="T">Options type; its defaults hold where the section is silent.</typeparam>
    /// <param name="section">Section path.</param>
    /// <returns>The options; what is broken in them is told by <see cref="RequireSound"/>.</returns>
    public T Read<T>(string section)
        where T : class, new()
    {
        _sections[section] = typeof(T);
        string[] unreadable = [.. SettingsShape.Unreadable(configuration.GetSection(section), typeof(T))];
        _broken.AddRange(unreadable);
        if (unreadable.Length > 0)
        {
            return new T();
        }

        T options = configuration.GetSection(section).Get<T>() ?? new T();
        var results = new List<ValidationResult>();
        _ = Validator.TryValidateObject(options, new(options), results, validateAllProperties: true);
        _broken.AddRange(results.Select(result => Describe(result, options, section)));
        return options;
    }

    /// <summary>Whether somebody gave a value, so that a default is not to be chosen.</summary>
    /// <param name="key">The setting.</param>
    public bool IsGiven(string key) => configuration[key] is not null;

    /// <summary>Ends the reading.</summary>
    /// <exception cref="ValidationException">Something is wrong: each line of the message names a setting, its rule and the value given.</exception>
    public void RequireSound()
    {
        string[] all = [.. SettingsShape.Unknown(configuration, _sections), .. _broken];
        if (all.Length > 0)
        {
            throw new ValidationException(string.Join('\n', all));
        }
    }

    /// <summary>Attributes tell the rule alone: the setting to change and its value are added. Our own rules tell them already.</summary>
    static string Describe(ValidationResult broken, object options, string section)
    {
        string rule = broken.ErrorMessage ?? "breaks a rule";
        if (rule.StartsWith("Igpt:", StringComparison.Ordinal) || broken.MemberNames.FirstOrDefault() is not { } name)
        {
            return rule;
        }

        object? given = options.GetType().GetProperty(name)?.GetValue(options);
        string attributes = rule.TrimEnd('.').Replace($"The field {name} ", "", StringComparison.Ordinal);
        return string.Create(CultureInfo.InvariantCulture, $"{section}:{name}: {attributes}; given '{given}'");
    }
}
