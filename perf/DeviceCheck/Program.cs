using System.CommandLine;
using IgptCluster.DeviceCheck;
using IgptCluster.Model.Cuda;

var json = new Option<string>("--json") { Description = "File for the results; written again after each part.", DefaultValueFactory = _ => "device-check.json" };
var device = new Option<string>("--device") { Description = "Where libtorch computes: cpu, or cuda for the first CUDA device.", DefaultValueFactory = _ => "cuda" };
device.AcceptOnlyFromAmong("cpu", "cuda");
var golden = new Option<string>("--golden") { Description = "Folder of golden reference data, tests/golden.", DefaultValueFactory = _ => "tests/golden" };
var preset = new Option<string>("--preset") { Description = "Size of the random weights.", DefaultValueFactory = _ => "small" };
preset.AcceptOnlyFromAmong("tiny", "small", "medium", "large");
var dtype = new Option<string>("--dtype") { Description = "Data type of the weights.", DefaultValueFactory = _ => "bfloat16" };
dtype.AcceptOnlyFromAmong("float32", "bfloat16");
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
try
{
    return await root.Parse(args).InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
}
catch (Exception error) when (error is InvalidOperationException or CudaException)
{
    await Console.Error.WriteLineAsync(error.Message);
    return 1;
}
