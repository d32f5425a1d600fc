using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace IgptCluster.Silo;

/// <summary>The command line: each option is a setting of the configuration, which files and environment variables (Igpt__…) can give as well.</summary>
internal static partial class SiloCommand
{
    /// <summary>The command.</summary>
    /// <param name="serve">Serves with the given settings.</param>
    /// <param name="demo">Runs the demo with the given settings.</param>
    internal static RootCommand Create(Func<Dictionary<string, string?>, CancellationToken, Task<int>> serve, Func<Dictionary<string, string?>, CancellationToken, Task<int>> demo)
    {
        var isDemo = new Option<bool>("--demo") { Description = "Starts a one-machine cluster on free loopback ports, sends the sample images through it, writes demo/*.png and exits." };
        var isForgetful = new Option<bool>("--no-store") { Description = "Stores nothing: sessions and what is loaded live as long as this process." };
        var models = new Option<string[]>("--model") { Description = "Checkpoint folder to serve, as PATH or NAME=PATH, and ,dtype=TYPE and ,kv-dtype=TYPE behind it for types of its own; can be given several times. Default: the bundled ones." };
        (Option<string> Option, string Setting)[] settings =
        [
            (Setting("--device", "cpu, cuda or auto."), "Igpt:Device"),
            (Setting("--dtype", "Weights: float32, bfloat16 or int8."), "Igpt:DType"),
            (Setting("--kv-dtype", "KV cache: float32, bfloat16 or int8. Default: as the weights, bfloat16 with int8."), "Igpt:KvDType"),
            (Setting("--threads", "Threads that compute on processors. Default: one for each core."), "Igpt:Threads"),
            (Setting("--pin-threads", "true or false: whether each stays on a core of its own. Default: where there is one for every core."), "Igpt:PinThreads"),
            (Setting("--slots", "KV slots per replica."), "Igpt:Slots"),
            (Setting("--max-waiting", "Sequences that may wait for a slot."), "Igpt:MaxWaiting"),
            (Setting("--max-waiting-tokens", "Tokens that they may have to be computed."), "Igpt:MaxWaitingTokens"),
            (Setting("--max-batch-tokens", "Token budget of an engine step."), "Igpt:MaxBatchTokens"),
            (Setting("--decode-stretch", "How many times as long prefills may make a step of generations."), "Igpt:DecodeStretch"),
            (Setting("--data", "Folder of the embedded store, in which sessions outlive this process. Default: one in the user's home."), "Igpt:Store:Folder"),
            (Setting("--store", "Redis-compatible store of the cluster, HOST:PORT[,password=...]."), "Igpt:Store:Address"),
            (Setting("--grpc", "Address and port for gRPC, 127.0.0.1:5081."), "Igpt:Listen:Grpc"),
            (Setting("--http", "Address and port for HTTP/1.1, 127.0.0.1:5080."), "Igpt:Listen:Http"),
            (Setting("--gateway", "false: answers no clients, for a silo behind gateways."), "Igpt:Listen:Enabled"),
            (Setting("--name", "This silo's name."), "Igpt:Cluster:Name"),
            (Setting("--silo-port", "Port for other silos."), "Igpt:Cluster:SiloPort"),
            (Setting("--client-port", "Port for Orleans clients."), "Igpt:Cluster:ClientPort"),
            (Setting("--primary-port", "Silo port of the cluster's first silo, to join it."), "Igpt:Cluster:PrimaryPort"),
            (Setting("--cluster-id", "Silos of another id are not joined."), "Igpt:Cluster:ClusterId"),
        ];
        var root = new RootCommand("Serves ImageGPT: a silo with its models and the gateway for clients.") { isDemo, models, isForgetful };
        foreach ((Option<string> option, _) in settings)
        {
            root.Add(option);
        }

        root.SetAction((parsed, cancellationToken) =>
        {
            Dictionary<string, string?> given = Models(parsed.GetValue(models) ?? []);
            foreach ((Option<string> option, string setting) in settings.Where(pair => parsed.GetResult(pair.Option) is OptionResult))
            {
                given[setting] = parsed.GetValue(option);
            }

            if (parsed.GetValue(isForgetful))
            {
                given["Igpt:Store:Enabled"] = "false";
            }

            return parsed.GetValue(isDemo) ? demo(given, cancellationToken) : serve(given, cancellationToken);
        });
        return root;
    }

    static Option<string> Setting(string name, string description) => new(name) { Description = description };

    static Dictionary<string, string?> Models(string[] models)
    {
        var given = new Dictionary<string, string?>();
        for (int i = 0; i < models.Length; i++)
        {
            Match model = Served().Match(models[i]);
            foreach (Group setting in model.Groups.Values.Skip(1).Where(setting => setting.Success))
            {
                given[$"Igpt:Models:{i}:{setting.Name}"] = setting.Value;
            }
        }

        return given;
    }

    [GeneratedRegex(@"^(?:(?<Name>[^=,]+)=)?(?<Path>.*?)(?:,dtype=(?<DType>[^,=]*)|,kv-dtype=(?<KvDType>[^,=]*))*$", RegexOptions.Singleline)]
    private static partial Regex Served();
}
