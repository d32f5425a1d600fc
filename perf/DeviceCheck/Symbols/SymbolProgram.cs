using System.Runtime.InteropServices;
using IgptCluster.Model.Torch;

namespace IgptCluster.DeviceCheck.Symbols;

/// <summary>Says whether every function and object that a library leaves undefined is found in libtorch and what libtorch loads.</summary>
internal static class SymbolProgram
{
    // Looked up together with all that they load themselves.
    static readonly string[] Libraries = ["libtorch_cuda.so", "libtorch.so", "libtorch_cpu.so", "libc10.so"];

    const int Named = 20;

    internal static int Run(string library)
    {
        if (Environment.GetEnvironmentVariable("IGPT_LIBTORCH") is not { Length: > 0 } folder)
        {
            Console.Error.WriteLine("IGPT_LIBTORCH must name the folder of libtorch's libraries (a PyTorch's torch/lib); it is not set");
            return 2;
        }

        nint[] handles = [.. Libraries.Select(name => Path.Combine(folder, name)).Where(File.Exists).Select(NativeLibrary.Load), NativeLibrary.Load("libstdc++.so.6"), NativeLibrary.Load("libc.so.6")];
        IReadOnlyList<ElfSymbol> undefined = ElfSymbols.Undefined(library);
        ElfSymbol[] missing = [.. undefined.Where(symbol => symbol.IsNeeded && !handles.Any(handle => NativeLibrary.TryGetExport(handle, symbol.Name, out _)))];
        Console.WriteLine($"{Path.GetFileName(library)} asks for {undefined.Count} symbols and needs {undefined.Count(symbol => symbol.IsNeeded)} of them (the others are weak, or no relocation refers to them); not found in {folder}: {missing.Length}");
        foreach (ElfSymbol symbol in missing.Take(Named))
            Console.WriteLine($"  {symbol.Name}");
        if (missing.Length > Named)
            Console.WriteLine($"  and {missing.Length - Named} more");
        if (missing.Length > 0)
            return 1;
        Console.WriteLine(LibTorch.Describe());
        return 0;
    }
}
