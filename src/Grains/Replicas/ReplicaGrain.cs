using System.Runtime.CompilerServices;
using IgptCluster.Contracts;
using IgptCluster.Engine;
using IgptCluster.Engine.Requests;
using IgptCluster.Engine.Sampling;
using IgptCluster.Grains.Heads;
using IgptCluster.Grains.Placement;
using Microsoft.Extensions.Logging;
using Orleans.Concurrency;
using Orleans.Placement;

namespace IgptCluster.Grains.Replicas;

/// <summary>One model on one device. Turns only pass work to the engine and await it: nothing here computes or blocks.</summary>
[LeastLoadedPlacement, DeviceSiloFilter, KeepAlive, Immovable, Reentrant, GrainType("igpt.replica")]
internal sealed partial class ReplicaGrain(IReplicaHost host, ILocalSiloDetails silo, ClusterView cluster, ReplicaMetrics metrics, ILogger<ReplicaGrain> logger) : Grain, IReplicaGrain
{
    static readonly TimeSpan LoadingRetry = TimeSpan.FromSeconds(2);

    ReplicaId _id;
    ReplicaHeads _heads = new(default);
    ReplicaEngine? _engine;
    long _revision;
    int _streams; // that sessions have not read to their end
    TaskCompletionSource? _allRead;

    public override Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _id = ReplicaId.Parse(this.GetPrimaryKeyString());
        if (cluster.IsDraining(silo.SiloAddress))
        {
            // Who does not know yet that it has left calls it where it was.
            throw new IgptException(IgptErrorCode.Draining, $"replica {_id} has left silo {silo.Name}: try again, another may take it") { RetryAfter = LoadingRetry };
        }

        _heads = new ReplicaHeads(_id);
        return Task.CompletedTask;
    }

    public override async Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        if (_engine is not null)
        {
            metrics.Remove(_engine);
            await _engine.DisposeAsync();
            LogStopped(_id, reason.ReasonCode);
        }
    }

    public Task<ReplicaStatus> StartAsync(ModelDeployment deployment)
    {
        if (_engine is null)
        {
            _engine = host.Start(_id, deployment);
            _revision = deployment.Revision;
            metrics.Add(_id, _engine);
            LogStarted(_id, _engine.Device);
        }

        return GetStatusAsync();
    }

    public Task<ReplicaStatus> GetStatusAsync()
    {
        if (_engine is not { } engine)
        {
            DeactivateOnIdle();
            return Task.FromResult(new ReplicaStatus
            {
                Id = _id,
                State = ReplicaState.Absent,
                Message = "it has not been started",
                Silo = silo.Name,
                SiloAddress = silo.SiloAddress.ToParsableString(),
                Device = "",
                DType = "",
                Loaded = 0,
            });
        }

        EngineStatus load = engine.Loop.Status;
        string fault = engine.Loaded.IsFaulted ? engine.Loaded.Exception.InnerException!.Message : load.Fault;
        if (engine.Loaded.IsCompletedSuccessfully && fault.Length > 0)
        {
            // A device fault may pass: the model's grain starts it afresh. Weights that cannot be loaded stay so, and say why.
            DeactivateOnIdle();
        }

        return Task.FromResult(new ReplicaStatus
        {
            Id = _id,
            State = fault.Length > 0 ? ReplicaState.Faulted
                : !engine.Loaded.IsCompletedSuccessfully ? ReplicaState.Loading
                : load.Draining ? ReplicaState.Draining : ReplicaState.Ready,
            Message = fault,
            Loaded = engine.LoadedShare,
            ModelVersion = engine.Loaded.IsCompletedSuccessfully ? engine.Loaded.Result.Description.Version : "",
            HeadsVersion = _heads.Version,
            Silo = silo.Name,
            SiloAddress = silo.SiloAddress.ToParsableString(),
            Device = engine.Device,
            DType = engine.DType,
            SlotsTotal = load.SlotsTotal,
            SlotsUsed = load.SlotsUsed,
            Running = load.Running,
            Waiting = load.Waiting,
            TokensPerSecond = load.TokensPerSecond,
            Drafter = load.Drafter,
            DraftedTokens = load.DraftedTokens,
            AcceptedTokens = load.AcceptedTokens,
            Revision = _revision,
            Capacity = engine.Loop.Capacity,
        });
    }

    public Task<ModelDescription> DescribeAsync() => Task.FromResult(_heads.Describe(Model));

    public Task<HeadStamp[]> GetHeadStampsAsync() => Task.FromResult(_heads.Stamps);

    public Task<HeadChange?> GetHeadAsync(string name) => Task.FromResult(_heads.Change(name));

    public Task<string> ChangeHeadAsync(HeadChange change) => Task.FromResult(_heads.Apply(change));

    public Task<string> CompleteHeadsAsync() => Task.FromResult(_heads.Complete());

    public Task RetireAsync(bool evict = false)
    {
        if (_engine is { } engine)
        {
            LogRetiring(_id);
            DrainAsync(engine).Ignore();
        }
        else
        {
            DeactivateOnIdle();
        }

        return Task.CompletedTask;

        async Task DrainAsync(ReplicaEngine engine)
        {
            await engine.Loop.DrainAsync(evict);
            if (_streams > 0)
            {
                // What is made must still be handed on.
                await (_allRead = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously)).Task;
            }

            DeactivateOnIdle();
        }
    }

    public async Task<Contracts.EvaluationResult> EvaluateAsync(EvaluationSpec spec, CancellationToken cancellationToken = default)
    {
        LoadedModel model = Model;
        HeadSelection? heads = spec.Kind == EvaluationKind.Classify ? Select(model, spec) : null;
        if (spec.Images.Length > Running.Loop.Capacity)
        {
            throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"replica {_id} takes at most {Running.Loop.Capacity:N0} images at a time, as many as KV slots and queue hold; given {spec.Images.Length}: ask for them in several requests")
            {
                Field = "images",
            };
        }

        int[] layers = spec.Kind == EvaluationKind.Score ? [] : heads?.Layers ?? [spec.Layer];
        var sequences = new List<(SequenceId Id, Task<Engine.Requests.EvaluationResult> Result)>(spec.Images.Length);
        try
        {
            foreach (int[] image in spec.Images)
            {
                sequences.Add(Submit(spec, image, layers));
            }

            Engine.Requests.EvaluationResult[] results = await Task.WhenAll(sequences.Select(sequence => sequence.Result)).WaitAsync(cancellationToken);
            return heads is not null
                ? heads.Score([.. results.Select(result => result.Pooled.ToArray())])
                : new Contracts.EvaluationResult([.. results.Select(result => spec.Kind == EvaluationKind.Embed ? result.Pooled[0] : result.LogProbabilities)]);
        }
        catch (EngineStoppedException stopped)
        {
            throw new IgptException(IgptErrorCode.NoReplica, $"replica {_id} stopped: {stopped.Message}") { RetryAfter = LoadingRetry };
        }
        catch (SequenceFailedException failed)
        {
            throw new IgptException(IgptErrorCode.Internal, $"replica {_id}: {failed.Message}");
        }
        catch
        {
            // One refused or cancelled image takes its request's others along; the engine ignores those that have ended.
            sequences.ForEach(sequence => Running.Loop.Cancel(sequence.Id));
            throw;
        }
    }

    public async IAsyncEnumerable<SessionUpdate> GenerateAsync(
        SessionId session, GenerationSpec spec, int[] generated, bool isReadmission = false, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        Generation stream = Submit(session, spec, generated, isReadmission);
        _streams++;
        try
        {
            yield return new SessionUpdate(spec.Prompt.Length + generated.Length, [], null);
            while (await stream.Tokens.WaitToReadAsync(cancellationToken))
            {
                var ready = new List<int>();
                int position = -1;
                while (stream.Tokens.TryRead(out GeneratedToken token))
                {
                    position = position < 0 ? token.Position : position;
                    ready.Add(token.Token);
                }

                if (ready.Count > 0)
                {
                    yield return new SessionUpdate(position, [.. ready], null);
                }
            }

            yield return new SessionUpdate(spec.EndPosition, [], Result(spec, await stream.Completion));
        }
        finally
        {
            Running.Loop.Cancel(stream.Id);
            if (--_streams == 0)
            {
                _allRead?.TrySetResult();
            }
        }
    }

    ReplicaEngine Running => _engine ?? throw Absent();

    LoadedModel Model => Running.Loaded switch
    {
        { IsCompletedSuccessfully: true } loaded => loaded.Result,
        { IsFaulted: true } failed => throw new IgptException(
            IgptErrorCode.NoReplica, $"replica {_id} could not load its weights: {failed.Exception.InnerException!.Message}"),
        _ => throw new IgptException(IgptErrorCode.NoReplica, $"replica {_id} is still loading its weights, {Running.LoadedShare:P0} of them are there: try again in a moment")
        {
            RetryAfter = LoadingRetry,
        },
    };

    IgptException Absent()
    {
        DeactivateOnIdle();
        return new IgptException(IgptErrorCode.NoReplica, $"replica {_id} has been lost and not been started again: try again, another may take it") { RetryAfter = LoadingRetry };
    }

    (SequenceId Id, Task<Engine.Requests.EvaluationResult> Result) Submit(EvaluationSpec spec, int[] image, int[] layers)
    {
        var request = new EvaluationRequest
        {
            Id = new SequenceId(Guid.NewGuid().ToString("N")),
            Tokens = image,
            PooledLayers = layers,
            LogProbabilities = spec.Kind == EvaluationKind.Score,
            Priority = spec.Priority,
            Client = spec.Client,
        };
        Task<Engine.Requests.EvaluationResult>? result = null;
        Admit(() => Running.Loop.TrySubmit(request, out result));
        return (request.Id, result!);
    }

    HeadSelection Select(LoadedModel model, EvaluationSpec spec)
    {
        HeadSelection heads = _heads.Select(model, spec.Head, spec.MoreHeads);
        return heads.LabelCount * spec.Images.Length <= HeadRules.MaxLogits
            ? heads
            : throw new IgptException(
                IgptErrorCode.InvalidArgument,
                $"a request has at most {HeadRules.MaxLogits:N0} logits; given {spec.Images.Length} images for {heads.LabelCount:N0} labels: ask for fewer heads or images")
            {
                Field = "more_heads",
            };
    }

    Generation Submit(SessionId session, GenerationSpec spec, int[] generated, bool isReadmission)
    {
        _ = Model;
        int[] known = [.. spec.Prompt, .. generated];
        var request = new GenerationRequest
        {
            Id = new SequenceId($"{session}-{Guid.NewGuid():N}"),
            Prompt = known,
            MaxNewTokens = spec.EndPosition - known.Length,
            Sampling = new SamplingParameters
            {
                Temperature = spec.Sampling.Temperature,
                TopK = spec.Sampling.TopK,
                TopP = spec.Sampling.TopP,
                Seed = spec.Sampling.Seed,
                Sample = (uint)spec.Sample,
            },
            Forced = spec.Forced.ToDictionary(pixel => pixel.Position, pixel => pixel.Token),
            Priority = spec.Priority,
            Client = spec.Client,
            IsReadmission = isReadmission,
        };
        Generation? stream = null;
        Admit(() => Running.Loop.TrySubmit(request, out stream));
        return stream!;
    }

    void Admit(Func<SubmitOutcome> submit)
    {
        SubmitOutcome outcome;
        try
        {
            outcome = submit();
        }
        catch (EngineRequestException refused)
        {
            throw new IgptException(refused.Unsupported ? IgptErrorCode.Unsupported : IgptErrorCode.InvalidArgument, refused.Message);
        }

        if (outcome != SubmitOutcome.Accepted)
        {
            throw Refused(outcome);
        }
    }

    IgptException Refused(SubmitOutcome outcome)
    {
        EngineStatus load = Running.Loop.Status;
        return outcome switch
        {
            SubmitOutcome.QueueFull => new IgptException(
                IgptErrorCode.Overloaded,
                $"replica {_id} has {load.Waiting} sequences waiting for {load.SlotsTotal} KV slots, {load.TokensInFlight:N0} tokens with those it runs, and takes no more: try again later")
            {
                RetryAfter = OverloadRetry(load),
            },
            SubmitOutcome.Draining => new IgptException(IgptErrorCode.Draining, $"replica {_id} is stopping: try again, another may take it")
            {
                RetryAfter = LoadingRetry,
            },
            _ => new IgptException(IgptErrorCode.NoReplica, $"replica {_id} has failed: {load.Fault}") { RetryAfter = LoadingRetry },
        };
    }

    /// <summary>Until about half of what is in flight has been computed, 1 … 30 s.</summary>
    static TimeSpan OverloadRetry(EngineStatus load) => TimeSpan.FromSeconds(Math.Clamp(load.TokensInFlight / Math.Max(1, load.TokensPerSecond) / 2, 1, 30));

    static SessionResult Result(GenerationSpec spec, GenerationResult result) => new(
        result.Reason switch
        {
            FinishReason.Length => spec.EndReached,
            FinishReason.Cancelled => SessionEnd.Cancelled,
            _ => SessionEnd.Failed,
        },
        result.Message,
        new SessionTimings(result.Queue, result.Prefill, result.Decode, result.FirstToken, Resumptions: 0));

    [LoggerMessage(1001, LogLevel.Information, "Replica {Replica} started on {Device}")]
    partial void LogStarted(ReplicaId replica, string device);

    [LoggerMessage(1003, LogLevel.Information, "Replica {Replica} finishes what it has and stops")]
    partial void LogRetiring(ReplicaId replica);

    [LoggerMessage(1002, LogLevel.Information, "Replica {Replica} stopped: {Reason}")]
    partial void LogStopped(ReplicaId replica, DeactivationReasonCode reason);
}
