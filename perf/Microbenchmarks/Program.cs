using System.CommandLine;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Reports;
using BenchmarkDotNet.Running;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using IgptCluster.CommandLine;
using IgptCluster.Microbenchmarks;

var filter = new Option<string[]>("--filter") { Description = "Benchmarks to run, by their full names; * stands for anything. Default: all.", DefaultValueFactory = _ => ["*"], AllowMultipleArgumentsPerToken = true };
var list = new Option<bool>("--list") { Description = "Names the benchmarks and runs none." };
var artifacts = new Option<string?>("--artifacts") { Description = "Folder for the results. Default: BenchmarkDotNet.Artifacts." };
var root = new RootCommand("Measures the pieces of a step, one by one.") { filter, list, artifacts };
root.SetAction(parsed =>
{
    // In this process: the projects of the build are not built again in another place.
    IConfig config = DefaultConfig.Instance.AddJob(Job.ShortRun.WithToolchain(InProcessEmitToolchain.Instance)).WithOptions(ConfigOptions.JoinSummary);
    string[] asked =
    [
        "--filter", .. parsed.GetRequiredValue(filter), .. parsed.GetValue(list) ? ["--list", "flat"] : Array.Empty<string>(), .. parsed.GetValue(artifacts) is { } folder ? ["--artifacts", folder] : Array.Empty<string>(),
    ];
    Summary[] summaries = [.. BenchmarkSwitcher.FromAssembly(typeof(ProductBenchmarks).Assembly).Run(asked, config)];
    return parsed.GetValue(list) || summaries.Any(summary => summary.Reports.Length > 0) ? CommandProgram.Done : throw new UsageException("--filter: no benchmark has such a name; --list names them");
});
return await new CommandProgram("perf/Microbenchmarks", root).RunAsync(args);
