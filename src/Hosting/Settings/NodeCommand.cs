using System.CommandLine;
using System.ComponentModel.DataAnnotations;
using IgptCluster.CommandLine;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace IgptCluster.Hosting.Settings;

/// <summary>
/// The command line of a process of the cluster, silo or gateway: each option is a setting of the configuration, which files and environment variables (Igpt__…) can give as well, and every
/// setting can be given by its full name.
/// </summary>
public sealed class NodeCommand
{
    const string StoreAddress = "Igpt:Store:Address";

    readonly string _name;
    readonly SettingOption[] _settings;

    /// <summary>Makes it.</summary>
    /// <param name="name">The program's name in messages.</param>
    /// <param name="description">What the program does.</param>
    /// <param name="own">Options for settings that the other kind of process does not have.</param>
    public NodeCommand(string name, string description, params SettingOption[] own)
    {
        _name = name;
        _settings = [.. own, .. Shared()];
        Root = new RootCommand($"{description} Settings without an option of their own are given as --Igpt:SECTION:NAME=VALUE.");
        foreach (SettingOption setting in _settings)
        {
            Root.Add(setting.Option);
        }
    }

    /// <summary>The options, to add further ones.</summary>
    public RootCommand Root { get; }

    /// <summary>Explains failures that the other kind of process does not know: exit code and message; null: unknown here too.</summary>
    public Func<Exception, (int Code, string Message)?> Explain { get; init; } = _ => null;

    /// <summary>Runs the process.</summary>
    /// <param name="args">The command line.</param>
    /// <param name="run">Serves with the given settings until it is told to stop.</param>
    /// <returns>The exit code.</returns>
    public Task<int> RunAsync(string[] args, Func<ParseResult, Dictionary<string, string?>, CancellationToken, Task<int>> run)
    {
        // Signals are the host's: the command line's own handling would end the process in the midst of stopping.
        var program = new CommandProgram(_name, Root) { Grace = null, Explain = (failure, _) => Explain(failure) ?? Known(failure) };
        (Dictionary<string, string?> Settings, string[] Remaining) given;
        try
        {
            given = SettingArguments.Split(args);
        }
        catch (UsageException mistake)
        {
            return program.RefuseAsync(mistake.Message);
        }

        Root.SetAction((parsed, cancellationToken) =>
        {
            foreach (SettingOption setting in _settings)
            {
                if (setting.Read(parsed) is { } value)
                {
                    given.Settings[setting.Setting] = value;
                }
            }

            if (given.Settings.TryGetValue(StoreAddress, out string? address) && (address?.Contains(StoreOptions.PasswordPart, StringComparison.OrdinalIgnoreCase) ?? false))
            {
                throw new UsageException("--store: every user of this machine can read a password on a command line: give --store-password-file FILE, or the whole address as Igpt__Store__Address in the environment");
            }

            return run(parsed, given.Settings, cancellationToken);
        });
        return program.RunAsync(given.Remaining);
    }

    static (int Code, string Message)? Known(Exception failure) => failure switch
    {
        ValidationException or OptionsValidationException => (CommandProgram.WrongUsage, failure.Message),
        InvalidOperationException => (CommandProgram.Failed, failure.Message),

        // It answered at first. What follows the first " - " is the state of the connection.
        RedisException or RedisTimeoutException => (CommandProgram.Failed, $"the cluster's store went away while this process was starting: {failure.Message.Split(" - ")[0].ReplaceLineEndings(" ")}. Start the process again when the store answers"),
        _ => null,
    };

    static SettingOption[] Shared() =>
    [
        SettingOption.Of("--data", "Igpt:Store:Folder", "Folder of the embedded store, in which sessions outlive this process. Default: one in the user's home."),
        SettingOption.Of("--store", StoreAddress, "Redis-compatible store of the cluster, HOST:PORT[,ssl=true]."),
        SettingOption.Of("--store-password-file", "Igpt:Store:PasswordFile", "File whose one line is that store's password."),
        new(new Option<bool>("--no-store") { Description = "Stores nothing: sessions and what is loaded live as long as this process." }, "Igpt:Store:Enabled", "false"),
        SettingOption.Of("--grpc", "Igpt:Listen:Grpc", "Address and port for gRPC. Default 127.0.0.1:5081; the next free port where this process joins others."),
        SettingOption.Of("--http", "Igpt:Listen:Http", "Address and port for HTTP/1.1. Default 127.0.0.1:5080; the next free port where this process joins others."),
        SettingOption.Of("--name", "Igpt:Cluster:Name", "This process's name in the cluster. Default: machine name and silo port."),
        SettingOption.Of("--silo-port", "Igpt:Cluster:SiloPort", "Port for other processes of the cluster. Default: the first free one from 11111 on."),
        SettingOption.Of("--client-port", "Igpt:Cluster:ClientPort", "Port for Orleans clients. Default: none."),
        SettingOption.Of("--primary-port", "Igpt:Cluster:PrimaryPort", "Silo port of the cluster's first silo on this machine, to join it."),
        SettingOption.Of("--cluster-id", "Igpt:Cluster:ClusterId", "Processes of another id are not joined. Default igpt."),
    ];
}
