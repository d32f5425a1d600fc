using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using IgptCluster.Protocol;
using Microsoft.OpenApi;

namespace IgptCluster.Gateway.Http.Description;

/// <summary>Messages as JSON schemas, each once in a document's components. One thread.</summary>
/// <param name="document">The document.</param>
internal sealed class MessageSchemas(OpenApiDocument document)
{
    /// <summary>A reference to a message's schema.</summary>
    /// <param name="message">The message.</param>
    public IOpenApiSchema Of(MessageDescriptor message)
    {
        if (message == Duration.Descriptor)
        {
            return new OpenApiSchema { Type = JsonSchemaType.String, Pattern = @"^\d+(\.\d{1,9})?s$", Examples = [JsonValue.Create("300s")] };
        }

        if (message == Timestamp.Descriptor)
        {
            return new OpenApiSchema { Type = JsonSchemaType.String, Format = "date-time" };
        }

        return Once(message.Name, () => new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Description = ProtocolComments.Of(message),
            Properties = message.Fields.InDeclarationOrder().ToDictionary(field => field.JsonName, Of),
        });
    }

    /// <summary>A field's schema.</summary>
    /// <param name="field">The field.</param>
    public IOpenApiSchema Of(FieldDescriptor field)
    {
        string comment = ProtocolComments.Of(field);
        if (field.IsRepeated)
        {
            return new OpenApiSchema { Type = JsonSchemaType.Array, Items = Single(field), Description = comment };
        }

        IOpenApiSchema schema = Single(field);
        schema.Description = comment;
        return schema;
    }

    IOpenApiSchema Single(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message => Of(field.MessageType),
        FieldType.Enum => Once(field.EnumType.Name, () => new OpenApiSchema
        {
            Type = JsonSchemaType.String,
            Description = string.Join(' ', field.EnumType.Values.Select(value => $"{value.Name}: {ProtocolComments.Of(value)}").Prepend(ProtocolComments.Of(field.EnumType))),
            Enum = [.. field.EnumType.Values.Select(value => JsonValue.Create(value.Name))],
        }),
        FieldType.Bool => new OpenApiSchema { Type = JsonSchemaType.Boolean },
        FieldType.Bytes => new OpenApiSchema { Type = JsonSchemaType.String, Format = "byte" },
        FieldType.Int32 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "int32" },
        FieldType.UInt32 => new OpenApiSchema { Type = JsonSchemaType.Integer, Format = "uint32", Minimum = "0" },

        // JavaScript's numbers hold 53 bits.
        FieldType.UInt64 or FieldType.Int64 => new OpenApiSchema { Type = JsonSchemaType.String, Format = "uint64", Pattern = @"^\d+$" },
        FieldType.Float => new OpenApiSchema { Type = JsonSchemaType.Number, Format = "float" },
        FieldType.Double => new OpenApiSchema { Type = JsonSchemaType.Number, Format = "double" },
        _ => new OpenApiSchema { Type = JsonSchemaType.String },
    };

    /// <summary>A component of the document, made when it is first asked for.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="create">Makes it.</param>
    public IOpenApiSchema Once(string name, Func<OpenApiSchema> create)
    {
        document.Components ??= new OpenApiComponents();
        document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
        if (!document.Components.Schemas.ContainsKey(name))
        {
            // Its place is taken before it is made: messages can hold themselves.
            document.Components.Schemas[name] = new OpenApiSchema();
            document.Components.Schemas[name] = create();
        }

        return new OpenApiSchemaReference(name, document);
    }
}
