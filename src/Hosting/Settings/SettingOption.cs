using System.CommandLine;

namespace IgptCluster.Hosting.Settings;

/// <summary>An option that stands for a setting of the configuration; the configuration's rules are the option's.</summary>
/// <param name="Option">The option.</param>
/// <param name="Setting">The setting.</param>
/// <param name="Fixed">What it sets where it takes no value; null: the value given.</param>
public sealed record SettingOption(Option Option, string Setting, string? Fixed = null)
{
    /// <summary>An option with a value.</summary>
    /// <param name="name">The option's name.</param>
    /// <param name="setting">The setting.</param>
    /// <param name="description">What it means.</param>
    public static SettingOption Of(string name, string setting, string description) => new(new Option<string>(name) { Description = description }, setting);

    /// <summary>What a command line says of it.</summary>
    /// <param name="parsed">The command line.</param>
    /// <returns>Null: nothing.</returns>
    internal string? Read(ParseResult parsed) => Fixed is null ? parsed.GetValue((Option<string>)Option) : parsed.GetValue((Option<bool>)Option) ? Fixed : null;
}
