using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using Microsoft.Extensions.Primitives;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>Fields of a message from a query string: <c>?limit=5&amp;stream.omit_rgb=true</c>, in the protocol's spelling or in lowerCamelCase. Any thread.</summary>
internal static class QueryFields
{
    /// <summary>Sets the fields that a query names.</summary>
    /// <param name="query">The query.</param>
    /// <param name="message">The message.</param>
    /// <exception cref="IgptException">InvalidArgument: an unknown name, or a value of another kind.</exception>
    public static void Read(IQueryCollection query, IMessage message)
    {
        foreach ((string path, StringValues values) in query)
        {
            Require.That(values.Count == 1, Echo.Cut(path, Echo.MaxLength), $"must be given once; given {values.Count} times");
            Set(message, path, values[0] ?? "");
        }
    }

    static void Set(IMessage message, string path, string value)
    {
        IMessage within = message;
        string[] names = path.Split('.');
        for (int i = 0; i < names.Length; i++)
        {
            FieldDescriptor field = Find(within.Descriptor, names[i]) is { IsRepeated: false } found ? found : throw Unknown(message.Descriptor, path);
            if (i == names.Length - 1)
            {
                field.Accessor.SetValue(within, Value(field, path, value));
                return;
            }

            within = field.FieldType == FieldType.Message ? Child(within, field) : throw Unknown(message.Descriptor, path);
        }
    }

    static IMessage Child(IMessage parent, FieldDescriptor field)
    {
        if (field.Accessor.GetValue(parent) is IMessage there)
        {
            return there;
        }

        IMessage child = field.MessageType.Parser.ParseFrom([]);
        field.Accessor.SetValue(parent, child);
        return child;
    }

    static object Value(FieldDescriptor field, string path, string value) => field.FieldType switch
    {
        FieldType.String => value,
        FieldType.Bool => bool.TryParse(value, out bool set) ? set : throw Require.Invalid(path, $"must be true or false; given {Echo.Quoted(value)}"),
        FieldType.UInt32 => uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            ? number : throw Require.Invalid(path, $"must be a whole number, 0 … {uint.MaxValue}; given {Echo.Quoted(value)}"),
        FieldType.Enum => field.EnumType.FindValueByName(value) is { } named
            ? Enum.ToObject(field.EnumType.ClrType, named.Number)
            : throw Require.Invalid(path, $"must be one of {string.Join(", ", field.EnumType.Values.Select(one => one.Name))}; given {Echo.Quoted(value)}"),
        _ => throw Require.Invalid(path, "cannot be given in a query"),
    };

    static FieldDescriptor? Find(MessageDescriptor message, string name) =>
        message.Fields.InFieldNumberOrder().FirstOrDefault(field => field.Name == name || field.JsonName == name);

    static IgptException Unknown(MessageDescriptor message, string path)
    {
        string[] known = [.. Paths(message, "")];
        string nearest = NearestName.Of(path, known) is { } name ? $"; the nearest is {name}" : "";
        return Require.Invalid(Echo.Cut(path, Echo.MaxLength), $"there is no such parameter{nearest}: the route takes {(known.Length > 0 ? string.Join(", ", known) : "none")}");
    }

    /// <summary>All that a query can name.</summary>
    /// <param name="message">The message.</param>
    /// <param name="prefix">What stands before its fields.</param>
    internal static IEnumerable<string> Paths(MessageDescriptor message, string prefix) => message.Fields.InFieldNumberOrder().Where(field => !field.IsRepeated).SelectMany(
        field => field.FieldType == FieldType.Message ? Paths(field.MessageType, $"{prefix}{field.Name}.") : [$"{prefix}{field.Name}"]);
}
