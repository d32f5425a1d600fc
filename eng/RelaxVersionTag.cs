using System;
using System.IO;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>Marks one needed symbol-version tag of an ELF64 library weak, so that an older system's loader accepts it.</summary>
public sealed class RelaxVersionTag : Task
{
    const uint ShtGnuVerneed = 0x6ffffffe;
    const ushort VerFlgWeak = 2;

    public string Library { get; set; }

    public string Tag { get; set; }

    public string Mode { get; set; }

    public override bool Execute()
    {
        if (!File.Exists(Library) || (Mode == "auto" && SystemHasTag()))
        {
            return true;
        }

        byte[] elf = File.ReadAllBytes(Library);
        int flags = FindStrongTagFlags(elf);
        if (flags < 0)
        {
            return true;
        }

        elf[flags] |= (byte)VerFlgWeak;
        DateTime stamp = File.GetLastWriteTimeUtc(Library);
        string temporary = Library + ".relaxed";
        File.WriteAllBytes(temporary, elf);
        File.SetLastWriteTimeUtc(temporary, stamp);
        File.Delete(Library);
        File.Move(temporary, Library);
        Log.LogMessage(MessageImportance.Normal, Library + ": marked " + Tag + " weak");
        return true;
    }

    bool SystemHasTag()
    {
        string[] folders =
        {
            "/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu", "/lib64", "/usr/lib64", "/usr/lib", "/lib",
        };
        foreach (string folder in folders)
        {
            string path = Path.Combine(folder, "libstdc++.so.6");
            if (File.Exists(path))
            {
                return IndexOf(File.ReadAllBytes(path), Encoding.ASCII.GetBytes(Tag + "\0")) >= 0;
            }
        }

        return false;
    }

    /// <summary>Offset of vna_flags of the wanted tag in .gnu.version_r; -1 if absent, already weak, or not an ELF64 we understand.</summary>
    int FindStrongTagFlags(byte[] elf)
    {
        if (elf.Length < 64 || elf[0] != 0x7f || elf[1] != 'E' || elf[2] != 'L' || elf[3] != 'F' || elf[4] != 2 || elf[5] != 1)
        {
            return -1;
        }

        long table = BitConverter.ToInt64(elf, 0x28);
        int entry = BitConverter.ToUInt16(elf, 0x3a);
        int count = BitConverter.ToUInt16(elf, 0x3c);
        if (table <= 0 || entry < 64 || table + (long)entry * count > elf.Length)
        {
            return -1;
        }

        for (int i = 0; i < count; i++)
        {
            int section = (int)(table + (long)i * entry);
            if (BitConverter.ToUInt32(elf, section + 4) != ShtGnuVerneed)
            {
                continue;
            }

            long start = BitConverter.ToInt64(elf, section + 24);
            long size = BitConverter.ToInt64(elf, section + 32);
            uint link = BitConverter.ToUInt32(elf, section + 40);
            if (link >= count || start < 0 || size < 0 || start + size > elf.Length)
            {
                return -1;
            }

            long strings = BitConverter.ToInt64(elf, (int)(table + link * entry) + 24);
            return FindInNeeds(elf, start, start + size, strings);
        }

        return -1;
    }

    int FindInNeeds(byte[] elf, long need, long end, long strings)
    {
        while (need >= 0 && need + 16 <= end)
        {
            long aux = need + BitConverter.ToUInt32(elf, (int)need + 8);
            int auxes = BitConverter.ToUInt16(elf, (int)need + 2);
            for (int i = 0; i < auxes && aux + 16 <= end; i++)
            {
                long name = strings + BitConverter.ToUInt32(elf, (int)aux + 8);
                if (IsAt(elf, name, Tag))
                {
                    int flags = (int)aux + 4;
                    return (BitConverter.ToUInt16(elf, flags) & VerFlgWeak) != 0 ? -1 : flags;
                }

                uint nextAux = BitConverter.ToUInt32(elf, (int)aux + 12);
                if (nextAux == 0)
                {
                    break;
                }

                aux += nextAux;
            }

            uint next = BitConverter.ToUInt32(elf, (int)need + 12);
            if (next == 0)
            {
                return -1;
            }

            need += next;
        }

        return -1;
    }

    static bool IsAt(byte[] data, long offset, string text)
    {
        if (offset < 0 || offset + text.Length + 1 > data.Length)
        {
            return false;
        }

        for (int i = 0; i < text.Length; i++)
        {
            if (data[offset + i] != text[i])
            {
                return false;
            }
        }

        return data[offset + text.Length] == 0;
    }

    static int IndexOf(byte[] data, byte[] wanted)
    {
        for (int i = 0; i + wanted.Length <= data.Length; i++)
        {
            int j = 0;
            while (j < wanted.Length && data[i + j] == wanted[j])
            {
                j++;
            }

            if (j == wanted.Length)
            {
                return i;
            }
        }

        return -1;
    }
}
