using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace IgptCluster.Protocol;

/// <summary>The comments of <c>protos/igpt/v1</c>, which generated descriptors lack. Any thread.</summary>
public static class ProtocolComments
{
    const string Resource = "igpt.protoset";

    static readonly Lazy<Dictionary<string, string>> Comments = new(Read);

    /// <summary>The comment of a service, rpc, message, field, enum or value; empty if it has none.</summary>
    /// <param name="descriptor">Which.</param>
    public static string Of(IDescriptor descriptor) => Comments.Value.GetValueOrDefault(descriptor.FullName, "");

    static Dictionary<string, string> Read()
    {
        using Stream resource = typeof(ProtocolComments).Assembly.GetManifestResourceStream(Resource)!;
        FileDescriptorSet files = FileDescriptorSet.Parser.ParseFrom(resource);
        var comments = new Dictionary<string, string>();
        foreach (FileDescriptor file in FileDescriptor.BuildFromByteStrings(files.File.Select(file => file.ToByteString())))
        {
            foreach (DescriptorBase described in file.Services.SelectMany(service => service.Methods.Cast<DescriptorBase>().Prepend(service)).Concat(file.MessageTypes.SelectMany(Parts)).Concat(file.EnumTypes.SelectMany(Parts)))
            {
                if (described.Declaration?.LeadingComments is { Length: > 0 } comment)
                {
                    comments[described.FullName] = string.Join(' ', comment.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
                }
            }
        }

        return comments;
    }

    static IEnumerable<DescriptorBase> Parts(MessageDescriptor message) =>
        message.Fields.InDeclarationOrder().Cast<DescriptorBase>().Prepend(message).Concat(message.NestedTypes.SelectMany(Parts)).Concat(message.EnumTypes.SelectMany(Parts));

    static IEnumerable<DescriptorBase> Parts(EnumDescriptor type) => type.Values.Cast<DescriptorBase>().Prepend(type);
}
