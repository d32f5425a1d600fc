using System.Collections.Concurrent;
using IgptCluster.Contracts;
using IgptCluster.Engine;
using IgptCluster.Engine.Runner;
using IgptCluster.Grains.Placement;
using IgptCluster.Grains.Replicas;
using IgptCluster.Tests.Shared;
using Microsoft.Extensions.Logging.Abstractions;

namespace IgptCluster.Grains.Tests;

/// <summary>Starts real engines over runners without tensors.</summary>
internal sealed class FakeReplicaHost(SiloAdvertisement advertisement, FakeModel served) : IReplicaHost
{
    public SiloAdvertisement Advertisement { get; } = advertisement;

    public ReplicaEngine Start(ReplicaId replica, ModelDeployment deployment)
    {
        var runner = new FakeModelRunner(served.Shape, served.Slots) { BeforeStep = served.BeforeStep };
        var loop = new EngineLoop(new EngineOptions { MaxWaiting = served.MaxWaiting, StepTimeout = served.StepTimeout }, () => runner, TimeProvider.System, NullLogger.Instance);
        served.Runners.Add(runner);
        return new ReplicaEngine(loop, "cpu", "float32", LoadAsync(loop, replica, deployment), new LoadProgress());
    }

    public async Task<SiloRoom> CheckAsync(string model, ModelDeployment deployment)
    {
        await served.Checking(deployment.Source);
        return new SiloRoom(served.Room, $"room for {served.Room}");
    }

    async Task<LoadedModel> LoadAsync(EngineLoop loop, ReplicaId replica, ModelDeployment deployment)
    {
        ModelShape shape = await loop.StartAsync();
        await served.Loading(replica);
        await served.LoadingFrom(deployment.Source);
        var head = new LinearHead(
            new HeadDescription("parity", Layer: 1, ["even", "odd"]), [.. Enumerable.Range(0, 2 * shape.EmbeddingSize).Select(i => i % 3 - 1f)], [0.5f, -0.5f]);
        var description = new ModelDescription
        {
            Name = replica.Model,
            Version = deployment.Source.Length > 0 ? deployment.Source : "v1",
            ConfigJson = "{}",
            PreprocessorJson = "",
            ProbeLayer = 1,
            Heads = served.HasOwnHead ? [head.Description] : [],
            VocabularySize = shape.VocabularySize,
            PositionCount = shape.PositionCount,
            LayerCount = shape.LayerCount,
            EmbeddingSize = shape.EmbeddingSize,
            CanGenerate = shape.LogitCount > 0,
        };
        return new LoadedModel(description, served.HasOwnHead ? [head] : []);
    }
}

/// <summary>What the fake silos of one test serve.</summary>
internal sealed class FakeModel
{
    public ModelShape Shape { get; init; } = FakeModelRunner.SmallShape;

    public int Slots { get; init; } = 4;

    public int MaxWaiting { get; init; } = 16;

    /// <summary>The longest a step may take.</summary>
    public TimeSpan StepTimeout { get; init; } = TimeSpan.FromMinutes(10);

    /// <summary>Whether the checkpoint has the head <c>parity</c>.</summary>
    public bool HasOwnHead { get; init; } = true;

    /// <summary>A replica's weights take until this ends to load.</summary>
    public Func<ReplicaId, Task> Loading { get; init; } = _ => Task.CompletedTask;

    /// <summary>The same, by where they are loaded from; fails as loading would.</summary>
    public Func<string, Task> LoadingFrom { get; init; } = _ => Task.CompletedTask;

    /// <summary>How many more replicas each silo has room for, whatever it holds.</summary>
    public int Room { get; init; } = 1000;

    /// <summary>What silos find when they are asked whether a folder can be loaded; fails as that would.</summary>
    public Func<string, Task> Checking { get; init; } = _ => Task.CompletedTask;

    /// <summary>Runs on the engines' threads before each step.</summary>
    public Action<StepPlan> BeforeStep { get; set; } = _ => { };

    /// <summary>Runs before each call that a session makes or gets, to hold it or to refuse it.</summary>
    public Func<IIncomingGrainCallContext, Task> BeforeSessionCall { get; set; } = _ => Task.CompletedTask;

    /// <summary>Where sessions are stored; null: nowhere.</summary>
    public FakeSessionStorage? Storage { get; init; }

    /// <summary>Where plans and heads are stored; null: nowhere.</summary>
    public FakeClusterStorage? ClusterStorage { get; init; }

    /// <summary>Every runner started, in order.</summary>
    public ConcurrentBag<FakeModelRunner> Runners { get; } = [];
}
