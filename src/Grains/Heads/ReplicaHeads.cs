using IgptCluster.Contracts;
using IgptCluster.Grains.Replicas;

namespace IgptCluster.Grains.Heads;

/// <summary>A replica's classifier heads: those of its checkpoint, and those that clients put. One thread at a time.</summary>
/// <param name="replica">The replica, for messages.</param>
internal sealed class ReplicaHeads(ReplicaId replica)
{
    static readonly TimeSpan LateRetry = TimeSpan.FromSeconds(1);

    readonly HeadTable _put = new();
    bool _isComplete;

    /// <summary>As <see cref="ReplicaStatus.HeadsVersion"/>.</summary>
    public string Version => _isComplete ? _put.Version : "";

    /// <summary>Which changes it has.</summary>
    public HeadStamp[] Stamps => _put.Stamps;

    /// <summary>The last change of a put head; null if there was none.</summary>
    public HeadChange? Change(string name) => _put.Find(name);

    /// <summary>Puts or deletes a head.</summary>
    /// <returns>The <see cref="Version"/> from here on.</returns>
    public string Apply(HeadChange change)
    {
        _put.Apply(change);
        return Version;
    }

    /// <summary>The model's grain has given all heads there are.</summary>
    /// <returns>The <see cref="Version"/> from here on.</returns>
    public string Complete()
    {
        _isComplete = true;
        return Version;
    }

    /// <summary>The model with all its heads.</summary>
    /// <param name="model">As its checkpoint was loaded.</param>
    public ModelDescription Describe(LoadedModel model) => model.Description with
    {
        Heads =
        [
            .. model.Heads.Select(head => head.Description with { IsReadOnly = true }),
            .. _put.Heads.Where(put => Own(model, put.Name) is null).Select(put => put.Head!.ToDescription()),
        ],
        HeadsVersion = Version,
    };

    /// <summary>The head of a name; empty for the first, which is the default.</summary>
    /// <param name="model">As its checkpoint was loaded.</param>
    /// <param name="name">What the client asked for.</param>
    /// <exception cref="IgptException">HeadNotFound; Unsupported if the model has none at all; NoReplica if it may only not have been given it yet.</exception>
    public LinearHead Find(LoadedModel model, string name)
    {
        if (Own(model, name) is { } own)
        {
            return own;
        }

        HeadSpec? put = name.Length > 0 ? _put.Find(name)?.Head : _put.Heads is [HeadChange first, ..] ? first.Head : null;
        return put is null ? throw Missing(model, name) : Fitting(model, put);
    }

    /// <summary>A head and further ones.</summary>
    /// <param name="model">As its checkpoint was loaded.</param>
    /// <param name="name">What the client asked for first; empty for the default.</param>
    /// <param name="more">Names of the further ones, <see cref="HeadRules.All"/> for all that fit the model; each head is taken once.</param>
    /// <exception cref="IgptException">As <see cref="Find"/>.</exception>
    public HeadSelection Select(LoadedModel model, string name, string[] more)
    {
        List<LinearHead> heads = [Find(model, name)];
        foreach (string wanted in more.SelectMany(one => one == HeadRules.All ? Fitting(model) : [one]))
        {
            if (!heads.Exists(head => head.Description.Name == wanted))
            {
                heads.Add(Find(model, wanted));
            }
        }

        return new HeadSelection(heads);
    }

    IEnumerable<string> Fitting(LoadedModel model)
    {
        (int layers, int width) = (model.Description.LayerCount, model.Description.EmbeddingSize);
        return model.Heads.Select(head => head.Description.Name).Concat(_put.Heads.Where(put => HeadRules.Fits(put.Head!, layers, width)).Select(put => put.Name));
    }

    static LinearHead? Own(LoadedModel model, string name) =>
        name.Length > 0 ? model.Heads.FirstOrDefault(head => head.Description.Name == name) : model.Heads is [LinearHead first, ..] ? first : null;

    /// <summary>Replicas of another version may be of another size: a head put for those cannot be read here.</summary>
    static LinearHead Fitting(LoadedModel model, HeadSpec head)
    {
        (int layers, int width) = (model.Description.LayerCount, model.Description.EmbeddingSize);
        return HeadRules.Fits(head, layers, width)
            ? new LinearHead(head.ToDescription(), head.Weight, head.Bias)
            : throw new IgptException(
                IgptErrorCode.Unsupported,
                $"head '{head.Name}' was put for another version of model '{model.Description.Name}': it does not fit {layers} layers of {width}; put it again");
    }

    IgptException Missing(LoadedModel model, string name)
    {
        if (!_isComplete)
        {
            return new IgptException(IgptErrorCode.NoReplica, $"replica {replica} has not been given its model's heads yet: try again in a moment") { RetryAfter = LateRetry };
        }

        if (_put.Find(name) is { IsDamaged: true } || (_put.Find("") is { IsDamaged: true } && name.Length > 0))
        {
            return new IgptException(IgptErrorCode.DataLoss, $"what is stored of head {Echo.Quoted(name)} of model '{replica.Model}' is damaged: put the head again, or restore the store from a copy") { Field = "head" };
        }

        return name.Length == 0
            ? new IgptException(IgptErrorCode.Unsupported, $"model '{replica.Model}' has no classifier head: use Embed, put a head with PutHead, or ask for a model that has one")
            : new IgptException(
                IgptErrorCode.HeadNotFound, $"model '{replica.Model}' has no head {Echo.Quoted(name)}; it has {Echo.List([.. Describe(model).Heads.Select(head => head.Name)])}")
            {
                Field = "head",
            };
    }
}
