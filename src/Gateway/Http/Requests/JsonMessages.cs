using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using Microsoft.Net.Http.Headers;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>Messages of the protocol as JSON, in protobuf's canonical mapping: lowerCamelCase names, 64-bit integers as strings, bytes as base64. Any thread.</summary>
internal static class JsonMessages
{
    const string Json = "application/json";

    static readonly JsonFormatter Formatter = new(JsonFormatter.Settings.Default.WithFormatDefaultValues(true));

    /// <summary>A message on one line.</summary>
    /// <param name="message">The message.</param>
    public static string Format(IMessage message) => Formatter.Format(message);

    /// <summary>Reads a request's body; none at all is a message without fields.</summary>
    /// <typeparam name="T">The message.</typeparam>
    /// <param name="request">The request.</param>
    /// <exception cref="IgptException">InvalidArgument: it is not the message's JSON.</exception>
    /// <exception cref="BadHttpRequestException">415: it is of another type; 413: it is too large.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request)
        where T : IMessage<T>, new()
    {
        var message = new T();
        return (T)Parse(await ReadBytesAsync(request), message.Descriptor);
    }

    /// <summary>Reads the bytes of a JSON body; none at all is <c>{}</c>.</summary>
    /// <param name="request">The request.</param>
    /// <exception cref="BadHttpRequestException">415: it is of another type; 413: it is too large.</exception>
    public static async Task<byte[]> ReadBytesAsync(HttpRequest request)
    {
        using var body = new MemoryStream((int)Math.Clamp(request.ContentLength ?? 0, 0, 1 << 20));
        await request.Body.CopyToAsync(body, request.HttpContext.RequestAborted);
        if (body.Length == 0)
        {
            return "{}"u8.ToArray();
        }

        if (!MediaTypeHeaderValue.TryParse(request.ContentType, out MediaTypeHeaderValue? type) || !type.MediaType.Equals(Json, StringComparison.OrdinalIgnoreCase)
            || (type.Charset.HasValue && !type.Charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase)))
        {
            throw new BadHttpRequestException($"content-type: must be {Json} in UTF-8; given {Echo.Quoted(request.ContentType ?? "")}: send the header 'content-type: {Json}'", StatusCodes.Status415UnsupportedMediaType);
        }

        return body.ToArray();
    }

    /// <summary>Parses JSON; names that the message does not have are refused with the nearest one that it has.</summary>
    /// <param name="json">UTF-8.</param>
    /// <param name="descriptor">The message.</param>
    /// <exception cref="IgptException">InvalidArgument.</exception>
    public static IMessage Parse(byte[] json, MessageDescriptor descriptor)
    {
        try
        {
            using var reader = new StreamReader(new MemoryStream(json), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
            return JsonParser.Default.Parse(reader.ReadToEnd(), descriptor);
        }
        catch (Exception broken) when (broken is InvalidProtocolBufferException or InvalidJsonException or DecoderFallbackException or FormatException or OverflowException)
        {
            throw new IgptException(IgptErrorCode.InvalidArgument, $"the body must be the JSON of {descriptor.FullName} (see /openapi/v1.json): {Reason(broken, json, descriptor)}") { Field = "body" };
        }
    }

    static string Reason(Exception broken, byte[] json, MessageDescriptor descriptor)
    {
        const string Unknown = "Unknown field: ";
        if (broken is DecoderFallbackException)
        {
            return "it is not UTF-8";
        }

        if (!broken.Message.StartsWith(Unknown, StringComparison.Ordinal))
        {
            return Echo.Cut(broken.Message, Echo.MaxLength);
        }

        string name = broken.Message[Unknown.Length..];
        string nearest = NearestName.Of(name, (HolderOf(name, json, descriptor) ?? descriptor).Fields.InFieldNumberOrder().Select(field => field.JsonName)) is { } known ? $"; the nearest is '{known}'" : "";
        return $"there is no field {Echo.Quoted(name)}{nearest}";
    }

    /// <summary>The message in which a field is unknown: the parser does not tell. Null where the JSON is none.</summary>
    static MessageDescriptor? HolderOf(string name, byte[] json, MessageDescriptor descriptor)
    {
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 100 });
            return HolderOf(name, document.RootElement, descriptor);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    static MessageDescriptor? HolderOf(string name, JsonElement given, MessageDescriptor descriptor)
    {
        if (given.ValueKind == JsonValueKind.Array)
        {
            return given.EnumerateArray().Select(one => HolderOf(name, one, descriptor)).FirstOrDefault(holder => holder is not null);
        }

        if (given.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        foreach (JsonProperty property in given.EnumerateObject())
        {
            FieldDescriptor? field = descriptor.Fields.InFieldNumberOrder().FirstOrDefault(field => field.JsonName == property.Name || field.Name == property.Name);
            if (field is null && property.Name == name)
            {
                return descriptor;
            }

            if (field is { IsMap: false, FieldType: FieldType.Message } && HolderOf(name, property.Value, field.MessageType) is { } holder)
            {
                return holder;
            }
        }

        return null;
    }
}
