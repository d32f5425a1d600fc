using System.CommandLine;
using IgptCluster.CommandLine;
using IgptCluster.DeviceCheck;
using IgptCluster.DeviceCheck.Engine;
using IgptCluster.DeviceCheck.Parity;
using IgptCluster.DeviceCheck.Probe;
using IgptCluster.DeviceCheck.Symbols;
using IgptCluster.Model.Cuda;

var json = new Option<string>("--json") { Description = "File for the results; written again after each part.", DefaultValueFactory = _ => "device-check.json" };
Option<string> device = ChoiceOption.Create("--device", "Where libtorch computes, the first CUDA device or the processor:", "cuda", "cpu", "cuda");
var golden = new Option<string>("--golden") { Description = "Folder of golden reference data, tests/golden.", DefaultValueFactory = _ => "tests/golden" };
Option<string> preset = ChoiceOption.Create("--preset", "Size of the random weights:", "small", "tiny", "small", "medium", "large");
Option<string> dtype = ChoiceOption.CreateDataType("--dtype", "Data type of the weights:", "bfloat16", "float32", "bfloat16");
var folder = new Option<string>("--out") { Description = "Folder to write.", Required = true };
var library = new Option<string>("--library") { Description = "TorchSharp's native library.", DefaultValueFactory = _ => Path.Combine(AppContext.BaseDirectory, "libLibTorchSharp.so") };

var symbols = new Command("symbols", "Says whether the libtorch that IGPT_LIBTORCH names has every function that TorchSharp's native library asks for.") { library };
symbols.SetAction(parsed => SymbolProgram.Run(parsed.GetRequiredValue(library)));
var probe = new Command("probe", "Runs kernels of our own on the first CUDA device, without libtorch: launch, graph, copy, tensor cores.") { json };
probe.SetAction(parsed => ProbeProgram.Run(parsed.GetRequiredValue(json)));
var parity = new Command("parity", "Compares libtorch on a device with Hugging Face's reference values.") { golden, device, json };
parity.SetAction(parsed => ParityProgram.Run(parsed.GetRequiredValue(golden), parsed.GetRequiredValue(device), parsed.GetRequiredValue(json)));
var checkpoint = new Command("checkpoint", "Writes a checkpoint of random weights.") { preset, dtype, folder };
checkpoint.SetAction(parsed => CheckpointProgram.Run(parsed.GetRequiredValue(preset), parsed.GetRequiredValue(dtype), parsed.GetRequiredValue(folder)));
var root = new RootCommand("Checks a device: eng/gpu/check.sh runs these in turn on a machine that need not have .NET.") { symbols, probe, parity, checkpoint, EngineCommand.Create() };
return await new CommandProgram("perf/DeviceCheck", root)
{
    Explain = (failure, _) => failure is InvalidOperationException or CudaException ? (CommandProgram.Failed, failure.Message) : null,
}.RunAsync(args);
