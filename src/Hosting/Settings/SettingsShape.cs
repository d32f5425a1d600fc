using System.ComponentModel;
using System.Globalization;
using System.Reflection;
using IgptCluster.CommandLine;
using Microsoft.Extensions.Configuration;

namespace IgptCluster.Hosting.Settings;

/// <summary>Compares a configuration with the options types that read it: the binder passes over names that no property has, and tells kinds by .NET's names.</summary>
static class SettingsShape
{
    const string Root = "Igpt";

    /// <summary>Names under <c>Igpt</c>, or under a section that is nearly called so, that nothing reads.</summary>
    /// <param name="configuration">The whole configuration.</param>
    /// <param name="sections">The options type that reads each section.</param>
    internal static IEnumerable<string> Unknown(IConfiguration configuration, IReadOnlyDictionary<string, Type> sections)
    {
        foreach (IConfigurationSection child in configuration.GetChildren().Where(child => child.GetChildren().Any()))
        {
            bool isRoot = child.Key.Equals(Root, StringComparison.OrdinalIgnoreCase);
            if (!isRoot && NearestName.Of(child.Key, [Root]) is { } nearest)
            {
                yield return $"{child.Key}: there is no such section of settings; the nearest is {nearest}";
            }
        }

        foreach (string unknown in UnknownIn(configuration.GetSection(Root), sections))
        {
            yield return unknown;
        }
    }

    /// <summary>Values that are not of the kind that a property takes.</summary>
    /// <param name="section">The section.</param>
    /// <param name="type">The options type that reads it.</param>
    internal static IEnumerable<string> Unreadable(IConfigurationSection section, Type type)
    {
        foreach (IConfigurationSection child in section.GetChildren())
        {
            if (Find(type, child.Key) is not { } property)
            {
                continue;
            }

            foreach (string broken in ElementOf(property.PropertyType) is { } element
                ? child.GetChildren().SelectMany(item => Unreadable(item, element))
                : UnreadableValue(child, property.PropertyType))
            {
                yield return broken;
            }
        }
    }

    static IEnumerable<string> UnknownIn(IConfigurationSection section, IReadOnlyDictionary<string, Type> sections)
    {
        Type? type = sections.GetValueOrDefault(section.Path);
        string[] below = [.. sections.Keys.Where(key => key.StartsWith($"{section.Path}:", StringComparison.OrdinalIgnoreCase)).Select(key => key[(section.Path.Length + 1)..].Split(':')[0]).Distinct()];
        foreach (IConfigurationSection child in section.GetChildren())
        {
            IEnumerable<string> unknown = below.Contains(child.Key, StringComparer.OrdinalIgnoreCase) ? UnknownIn(child, sections)
                : type is not null && Find(type, child.Key) is { } property ? UnknownItems(child, property)
                : [NoSuch(child, [.. below, .. Names(type)])];
            foreach (string one in unknown)
            {
                yield return one;
            }
        }
    }

    static IEnumerable<string> UnknownItems(IConfigurationSection list, PropertyInfo property) => ElementOf(property.PropertyType) is { } element
        ? list.GetChildren().SelectMany(item => item.GetChildren().Where(child => Find(element, child.Key) is null).Select(child => NoSuch(child, Names(element))))
        : [];

    static string NoSuch(IConfigurationSection setting, IEnumerable<string> known)
    {
        string parent = setting.Path[..^setting.Key.Length];
        string nearest = NearestName.Of(setting.Key, known) is { } name ? $"; the nearest is {parent}{name}" : "";
        return $"{setting.Path}: there is no such setting{nearest}";
    }

    static IEnumerable<string> UnreadableValue(IConfigurationSection setting, Type type)
    {
        Type kind = Nullable.GetUnderlyingType(type) ?? type;
        string? given = setting.Value;
        bool isReadable = kind == typeof(string) || (string.IsNullOrEmpty(given) ? kind != type || given is null : CanConvert(kind, given));
        return isReadable ? [] : [$"{setting.Path}: must be {Describe(kind)}; given '{given}'"];
    }

    static bool CanConvert(Type kind, string given)
    {
        try
        {
            return TypeDescriptor.GetConverter(kind).ConvertFromInvariantString(given) is not null;
        }
        catch (Exception unreadable) when (unreadable is FormatException or ArgumentException or OverflowException or NotSupportedException)
        {
            return false;
        }
    }

    static string Describe(Type kind) =>
        kind == typeof(bool) ? "true or false"
        : kind == typeof(TimeSpan) ? string.Create(CultureInfo.InvariantCulture, $"a duration, hours:minutes:seconds, such as {TimeSpan.FromSeconds(30)}")
        : kind == typeof(double) ? "a number such as 2.5"
        : "a whole number";

    static PropertyInfo? Find(Type type, string name) => type.GetProperties().FirstOrDefault(property => IsSetting(property) && property.Name.Equals(name, StringComparison.OrdinalIgnoreCase));

    static IEnumerable<string> Names(Type? type) => type is null ? [] : type.GetProperties().Where(IsSetting).Select(property => property.Name);

    static bool IsSetting(PropertyInfo property) => property.CanWrite || ElementOf(property.PropertyType) is not null;

    static Type? ElementOf(Type type) => type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IList<>) ? type.GetGenericArguments()[0] : null;
}
