using Google.Protobuf;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Models;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Messages;

/// <summary>Models and replicas as the protocol spells them.</summary>
internal static class ModelMessages
{
    /// <summary>A model with its replicas.</summary>
    /// <param name="model">The model.</param>
    /// <param name="replicas">Its replicas.</param>
    public static Model ToMessage(this ServedModel model, IEnumerable<ReplicaStatus> replicas)
    {
        ModelDescription description = model.Description;
        return new Model
        {
            Name = description.Name,
            Version = description.Version,
            Config = description.ConfigJson,
            Palette = model.Processor is { } processor ? UnsafeByteOperations.UnsafeWrap(processor.Palette.RgbMemory) : ByteString.Empty,
            Card = description.Card,
            Heads = { description.Heads.Select(head => head.ToMessage()) },
            Replicas = { replicas.Select(ToMessage) },
            Width = (uint)(model.Processor?.Width ?? 0),
            Height = (uint)(model.Processor?.Height ?? 0),
            CanGenerate = description.CanGenerate,
            ProbeLayer = (uint)description.ProbeLayer,
            Layers = (uint)description.LayerCount,
            Positions = (uint)description.PositionCount,
            EmbeddingSize = (uint)description.EmbeddingSize,
        };
    }

    public static Device ToMessage(this DeviceStatus device)
    {
        var message = new Device { Name = device.Name, Description = device.Description, MemoryTotal = (ulong)device.MemoryTotal, MemoryFree = (ulong)device.MemoryFree };
        if (device.Utilization is { } utilization)
        {
            message.Utilization = utilization;
        }

        return message;
    }

    /// <summary>A replica.</summary>
    /// <param name="replica">Its load.</param>
    public static Replica ToMessage(this ReplicaStatus replica) => new()
    {
        Id = replica.Id.ToString(),
        Model = replica.Id.Model,
        Silo = replica.Silo,
        Device = replica.Device,
        Dtype = replica.DType,
        SlotsTotal = (uint)replica.SlotsTotal,
        SlotsUsed = (uint)replica.SlotsUsed,
        Running = (uint)replica.Running,
        Waiting = (uint)replica.Waiting,
        TokensPerSecond = replica.TokensPerSecond,
        State = replica.State.ToString().ToLowerInvariant(),
        Message = replica.Message,
        Loaded = replica.Loaded,
        Drafter = replica.Drafter,
        DraftedTokens = (ulong)replica.DraftedTokens,
        AcceptedTokens = (ulong)replica.AcceptedTokens,
    };
}
