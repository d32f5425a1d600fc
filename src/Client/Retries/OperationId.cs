using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace IgptCluster.Client.Retries;

/// <summary>Gives requests that have an <c>operation_id</c> one, so that the server takes a call that is tried again as one.</summary>
internal static class OperationId
{
    const string Field = "operation_id";

    /// <summary>The request itself, or a copy with a new id if it has a field for one that is empty.</summary>
    /// <param name="request">What the caller gave; it stays as it is.</param>
    internal static TRequest Ensure<TRequest>(TRequest request)
        where TRequest : class
    {
        if (request is not IMessage message
            || message.Descriptor.FindFieldByName(Field) is not { FieldType: FieldType.String } field
            || field.Accessor.GetValue(message) is not ""
            || request is not IDeepCloneable<TRequest> original)
        {
            return request;
        }

        TRequest copy = original.Clone();
        field.Accessor.SetValue((IMessage)copy, Guid.NewGuid().ToString("N"));
        return copy;
    }
}
