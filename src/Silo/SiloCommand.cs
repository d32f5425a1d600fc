using System.CommandLine;
using System.Text.RegularExpressions;
using IgptCluster.CommandLine;
using IgptCluster.Contracts;
using IgptCluster.Hosting.Settings;
using IgptCluster.Model.Checkpoints;

namespace IgptCluster.Silo;

/// <summary>A silo's command line: the options of every process of the cluster, those of devices and models, and the demo.</summary>
internal static partial class SiloCommand
{
    /// <summary>Runs a silo.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="serve">Serves with the given settings.</param>
    /// <param name="demo">Runs the demo with the given settings.</param>
    /// <returns>The process's exit code.</returns>
    internal static Task<int> RunAsync(string[] args, Func<Dictionary<string, string?>, CancellationToken, Task<int>> serve, Func<Dictionary<string, string?>, CancellationToken, Task<int>> demo)
    {
        var isDemo = new Option<bool>("--demo") { Description = "Starts a one-machine cluster on free loopback ports, sends the sample images through it, writes demo/*.png and exits." };
        var models = new Option<string[]>("--model") { Description = "Checkpoint folder to serve, as PATH or NAME=PATH, and ,dtype=TYPE and ,kv-dtype=TYPE behind it for types of its own; can be given several times. Default: the bundled ones." };
        var command = new NodeCommand("igpt silo", "Serves ImageGPT: a silo with its models and the gateway for clients.", Settings()) { Explain = Explain };
        command.Root.Add(isDemo);
        command.Root.Add(models);
        return command.RunAsync(args, (parsed, settings, cancellationToken) =>
        {
            foreach ((string setting, string? value) in Models(parsed.GetValue(models) ?? []))
            {
                settings[setting] = value;
            }

            return parsed.GetValue(isDemo) ? demo(settings, cancellationToken) : serve(settings, cancellationToken);
        });
    }

    static (int, string)? Explain(Exception failure) => failure switch
    {
        CheckpointException => (CommandProgram.WrongUsage, failure.Message),
        IgptException => (CommandProgram.Failed, failure.Message),
        _ => null,
    };

    static SettingOption[] Settings() =>
    [
        SettingOption.Of("--device", "Igpt:Device", "cpu, cuda or auto."),
        SettingOption.Of("--runner", "Igpt:Runner", "auto: own kernels where they are made for the model; libtorch: the reference, everywhere."),
        SettingOption.Of("--drafter", "Igpt:Drafter", "auto: steps verify guessed tokens where that is faster; none: one token a step. Tokens are the same."),
        SettingOption.Of("--dtype", "Igpt:DType", "Weights: float32, bfloat16 or int8."),
        SettingOption.Of("--kv-dtype", "Igpt:KvDType", "KV cache: float32, bfloat16 or int8. Default: as the weights, bfloat16 with int8."),
        SettingOption.Of("--threads", "Igpt:Threads", "Threads that compute on processors. Default: one for each core."),
        SettingOption.Of("--pin-threads", "Igpt:PinThreads", "true or false: whether each stays on a core of its own. Default: where there is one for every core."),
        SettingOption.Of("--slots", "Igpt:Slots", "KV slots per replica."),
        SettingOption.Of("--max-waiting", "Igpt:MaxWaiting", "Sequences that may wait for a slot."),
        SettingOption.Of("--max-waiting-tokens", "Igpt:MaxWaitingTokens", "Tokens that they may have to be computed."),
        SettingOption.Of("--max-batch-tokens", "Igpt:MaxBatchTokens", "Token budget of an engine step."),
        SettingOption.Of("--decode-stretch", "Igpt:DecodeStretch", "How many times as long prefills may make a step of generations."),
        SettingOption.Of("--gateway", "Igpt:Listen:Enabled", "false: answers no clients, for a silo behind gateways."),
    ];

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

    // A name has no '/': what stands before the first '=' behind one belongs to a path. A type is given once: what looks like another one is the folder's name.
    [GeneratedRegex(
        @"^(?:(?<Name>[^=,/\\]+)=)?(?<Path>.*?)(?:(?:,dtype=(?<DType>[^,=/]*))?(?:,kv-dtype=(?<KvDType>[^,=/]*))?|,kv-dtype=(?<KvDType>[^,=/]*),dtype=(?<DType>[^,=/]*))$",
        RegexOptions.Singleline)]
    private static partial Regex Served();
}
