using System.Buffers.Binary;
using System.Text;

namespace IgptCluster.DeviceCheck.Symbols;

/// <summary>A symbol that a library leaves to others.</summary>
/// <param name="Name">As the linker knows it.</param>
/// <param name="IsNeeded">Whether the library does not load without it: it is not weak, and a relocation refers to it.</param>
internal readonly record struct ElfSymbol(string Name, bool IsNeeded);

/// <summary>Reads the dynamic symbols and relocations of an ELF64 library (System V ABI, "Symbol Table" and "Relocation").</summary>
internal sealed class ElfSymbols
{
    const int SymbolBytes = 24; // Elf64_Sym
    const int RelocationBytes = 24; // Elf64_Rela
    const int Relocations = 4; // SHT_RELA
    const int DynamicSymbols = 11; // SHT_DYNSYM
    const int WeakBinding = 2; // STB_WEAK

    readonly byte[] _elf;

    ElfSymbols(byte[] elf) => _elf = elf;

    /// <summary>Those that others must define.</summary>
    /// <param name="file">The library.</param>
    /// <exception cref="InvalidDataException">It is not a little-endian ELF64 file with dynamic symbols.</exception>
    internal static IReadOnlyList<ElfSymbol> Undefined(string file)
    {
        byte[] elf = File.ReadAllBytes(file);
        if (elf.Length < 64 || !elf.AsSpan(0, 6).SequenceEqual("\u007fELF\u0002\u0001"u8))
            throw new InvalidDataException($"{file} must be a little-endian ELF64 library");
        var reader = new ElfSymbols(elf);
        Section[] sections = [.. reader.Sections()];
        Section symbols = sections.FirstOrDefault(section => section.Type == DynamicSymbols);
        if (symbols.Bytes == 0)
            throw new InvalidDataException($"{file} has no dynamic symbols");
        HashSet<int> relocated = [.. sections.Where(section => section.Type == Relocations).SelectMany(reader.RelocatedSymbols)];
        return [.. reader.Undefined(symbols, sections[symbols.Link], relocated)];
    }

    IEnumerable<ElfSymbol> Undefined(Section symbols, Section names, HashSet<int> relocated)
    {
        // The first is no symbol.
        for (int index = 1; index < symbols.Bytes / SymbolBytes; index++)
        {
            int at = symbols.At + (index * SymbolBytes);
            bool isUndefined = Short(at + 6) == 0;
            bool isWeak = _elf[at + 4] >> 4 == WeakBinding;
            string name = Text(names.At + Int(at));
            if (isUndefined && name.Length > 0)
                yield return new ElfSymbol(name, !isWeak && relocated.Contains(index));
        }
    }

    IEnumerable<int> RelocatedSymbols(Section section)
    {
        for (int at = section.At; at < section.At + section.Bytes; at += RelocationBytes)
            yield return Int(at + 12); // the upper half of r_info
    }

    IEnumerable<Section> Sections()
    {
        (long table, int size, int count) = (BinaryPrimitives.ReadInt64LittleEndian(_elf.AsSpan(0x28)), Short(0x3a), Short(0x3c));
        for (int i = 0; i < count; i++)
        {
            int at = checked((int)(table + ((long)i * size)));
            yield return new Section(Int(at + 4), Int(at + 24), Int(at + 32), Int(at + 40));
        }
    }

    string Text(int at) => Encoding.UTF8.GetString(_elf.AsSpan(at, _elf.AsSpan(at).IndexOf((byte)0)));

    int Int(int at) => BinaryPrimitives.ReadInt32LittleEndian(_elf.AsSpan(at));

    int Short(int at) => BinaryPrimitives.ReadUInt16LittleEndian(_elf.AsSpan(at));

    // Offsets and sizes are 64 bits; those of a file that fits an array are the lower halves.
    readonly record struct Section(int Type, int At, int Bytes, int Link);
}
