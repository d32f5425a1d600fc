using System.ComponentModel;
using System.Runtime.InteropServices;

namespace IgptCluster.Model.Cpu;

/// <summary>Machine code that the processor may run and nobody may write any more. Linux on x64. Any thread.</summary>
internal sealed unsafe partial class ExecutableCode : IDisposable
{
    const int Read = 1;
    const int Write = 2;
    const int Execute = 4;
    const int Private = 2;
    const int Anonymous = 0x20;

    readonly nuint _length;

    /// <summary>Copies the code into pages of its own.</summary>
    /// <exception cref="Win32Exception">The system gives no such pages.</exception>
    internal ExecutableCode(ReadOnlySpan<byte> code)
    {
        _length = (nuint)code.Length;
        Start = Map(0, _length, Read | Write, Private | Anonymous, -1, 0);
        if (Start == -1)
            throw new Win32Exception();
        code.CopyTo(new Span<byte>((void*)Start, code.Length));
        if (Protect(Start, _length, Read | Execute) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            Dispose();
            throw new Win32Exception(error);
        }
    }

    /// <summary>Its first instruction.</summary>
    internal nint Start { get; }

    /// <inheritdoc/>
    public void Dispose() => _ = Unmap(Start, _length);

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "mprotect", SetLastError = true)]
    private static partial int Protect(nint address, nuint length, int protection);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);
}
