using Orleans.Storage;

namespace IgptCluster.Hosting.Records;

/// <summary>A record as it is stored.</summary>
/// <param name="Bytes">Its bytes.</param>
[GenerateSerializer, Immutable, Alias("igpt.stored-record")]
internal sealed record StoredRecord([property: Id(0)] ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Hands a storage provider the bytes and nothing else.</summary>
    internal sealed class Serializer : IGrainStorageSerializer
    {
        /// <inheritdoc/>
        public BinaryData Serialize<T>(T? input) => new(((StoredRecord)(object)input!).Bytes);

        /// <inheritdoc/>
        public T Deserialize<T>(BinaryData input) => (T)(object)new StoredRecord(input.ToMemory());
    }
}
