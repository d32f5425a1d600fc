using IgptCluster.Contracts;

namespace IgptCluster.Grains.Replicas;

/// <summary>Starts engines on this silo's devices. The silo implements it with TorchSharp; grains know no tensor.</summary>
public interface IReplicaHost
{
    /// <summary>This silo's devices and the models it has weights for.</summary>
    Placement.SiloAdvertisement Advertisement { get; }

    /// <summary>Starts an engine for a replica on the device with the fewest engines. Returns at once: weights load on the engine's own thread.</summary>
    /// <param name="replica">The replica.</param>
    /// <param name="deployment">From where and how; without a source its model is one of this silo's.</param>
    /// <exception cref="IgptException">ModelNotFound if it is not.</exception>
    ReplicaEngine Start(ReplicaId replica, ModelDeployment deployment);

    /// <summary>Checks that a model can be started here, without reading its weights.</summary>
    /// <param name="model">Model name.</param>
    /// <param name="deployment">From where and how.</param>
    /// <returns>How many more replicas of it there is room for.</returns>
    /// <exception cref="IgptException">InvalidArgument: why it cannot.</exception>
    Task<SiloRoom> CheckAsync(string model, ModelDeployment deployment);

    /// <summary>This silo's devices as they are now.</summary>
    Task<DeviceStatus[]> DevicesAsync() => Task.FromResult<DeviceStatus[]>([.. Advertisement.Devices.Select(device => new DeviceStatus { Name = device })]);
}
