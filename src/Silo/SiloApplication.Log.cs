namespace IgptCluster.Silo;

internal sealed partial class SiloApplication
{
    [LoggerMessage(3011, LogLevel.Warning, "Model {Model} is not served: the cluster was told to unload it (igpt models load serves it again)")]
    static partial void LogNotServed(ILogger logger, string model);

    [LoggerMessage(3012, LogLevel.Error, "Model {Model} cannot be served here as the cluster was told to, from '{Source}' (empty: the silo's own folder): {Reason}. Everything else is served")]
    static partial void LogNotLoaded(ILogger logger, string model, string source, string reason);
}
