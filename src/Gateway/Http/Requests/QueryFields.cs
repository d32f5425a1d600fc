using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
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
            Set(message, path, values);
        }
    }

    /// <summary>Refuses all parameters, for a route whose fields are in its path and its body.</summary>
    /// <param name="query">The query.</param>
    /// <exception cref="IgptException">InvalidArgument: there are some.</exception>
    public static void RequireNone(IQueryCollection query)
    {
        if (query.Keys.FirstOrDefault() is { } unknown)
        {
            throw Require.Invalid(Echo.Cut(unknown, Echo.MaxLength), "there is no such parameter: the route takes none in its query");
        }
    }

    /// <summary>An endpoint, or a group of them, that refuses all parameters.</summary>
    /// <typeparam name="T">What builds it.</typeparam>
    /// <param name="endpoint">The endpoint.</param>
    public static T WithoutQuery<T>(this T endpoint)
        where T : IEndpointConventionBuilder => endpoint.AddEndpointFilter((call, next) =>
    {
        RequireNone(call.HttpContext.Request.Query);
        return next(call);
    });

    /// <summary>Sets a field.</summary>
    /// <param name="message">The message.</param>
    /// <param name="path">The field's name, with the names of the messages that it is in.</param>
    /// <param name="values">Its value; several for a list of texts.</param>
    /// <exception cref="IgptException">InvalidArgument: an unknown name, or a value of another kind.</exception>
    public static void Set(IMessage message, string path, StringValues values)
    {
        if (Find(message.Descriptor, path) is { IsRepeated: true, FieldType: FieldType.String } list)
        {
            foreach (string? one in values)
            {
                ((System.Collections.IList)list.Accessor.GetValue(message)).Add(one ?? "");
            }

            return;
        }

        Require.That(values.Count == 1, Echo.Cut(path, Echo.MaxLength), $"must be given once; given {values.Count} times");
        string value = values[0] ?? "";
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

            within = IsGroup(field) ? Child(within, field) : throw Unknown(message.Descriptor, path);
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

    /// <summary>The field that a name leads to.</summary>
    /// <param name="message">The message.</param>
    /// <param name="path">One of <see cref="Paths"/>.</param>
    internal static FieldDescriptor FieldOf(MessageDescriptor message, string path)
    {
        string[] names = path.Split('.');
        return Find(names[..^1].Aggregate(message, (within, name) => Find(within, name)!.MessageType), names[^1])!;
    }

    static object Value(FieldDescriptor field, string path, string value) => field.FieldType switch
    {
        FieldType.String => value,
        FieldType.Bool => bool.TryParse(value, out bool set) ? set : throw Require.Invalid(path, $"must be true or false; given {Echo.Quoted(value)}"),
        FieldType.UInt32 => uint.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out uint number)
            ? number : throw Require.Invalid(path, $"must be a whole number, 0 … {uint.MaxValue}; given {Echo.Quoted(value)}"),
        FieldType.Int32 => int.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int number)
            ? number : throw Require.Invalid(path, $"must be a whole number; given {Echo.Quoted(value)}"),
        FieldType.UInt64 => ulong.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out ulong number)
            ? number : throw Require.Invalid(path, $"must be a whole number, 0 … {ulong.MaxValue}; given {Echo.Quoted(value)}"),
        FieldType.Double => double.TryParse(value, NumberStyles.Float, CultureInfo.InvariantCulture, out double number)
            ? number : throw Require.Invalid(path, $"must be a number; given {Echo.Quoted(value)}"),
        FieldType.Message when field.MessageType == Duration.Descriptor => Seconds(value) ?? throw Require.Invalid(path, $"must be seconds, such as 300s; given {Echo.Quoted(value)}"),
        FieldType.Enum => field.EnumType.FindValueByName(value) is { } named
            ? System.Enum.ToObject(field.EnumType.ClrType, named.Number)
            : throw Require.Invalid(path, $"must be one of {string.Join(", ", field.EnumType.Values.Select(one => one.Name))}; given {Echo.Quoted(value)}"),
        _ => throw Require.Invalid(path, "cannot be given in a query"),
    };

    static Duration? Seconds(string value)
    {
        try
        {
            return JsonParser.Default.Parse<Duration>($"\"{System.Text.Json.JsonEncodedText.Encode(value)}\"");
        }
        catch (InvalidProtocolBufferException)
        {
            return null;
        }
    }

    static bool IsGroup(FieldDescriptor field) => field.FieldType == FieldType.Message && field.MessageType != Duration.Descriptor;

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
    internal static IEnumerable<string> Paths(MessageDescriptor message, string prefix) => message.Fields.InFieldNumberOrder()
        .Where(field => (!field.IsRepeated && field.FieldType != FieldType.Bytes) || (field.FieldType == FieldType.String && prefix.Length == 0))
        .SelectMany(field => IsGroup(field) ? Paths(field.MessageType, $"{prefix}{field.Name}.") : [$"{prefix}{field.Name}"]);
}
