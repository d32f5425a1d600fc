using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;
using System.Text;
using IgptCluster.Files;

namespace IgptCluster.Model.Checkpoints;

/// <summary>
/// Reads a pickle as data. Opcodes and globals are allow-listed, so no code in a pickle can run; a state dictionary needs no more than these.
/// Values: null, bool, long, BigInteger, double, string, object[] (tuple), List (list), PickleDict, PickleGlobal, and what the caller makes of
/// persistent ids and calls.
/// </summary>
/// <param name="data">One or more pickles, one after the other.</param>
/// <param name="call">Result of calling an allowed global; throws for one that is not to be called so.</param>
/// <param name="load">What a persistent id stands for.</param>
sealed class PickleReader(ReadOnlyMemory<byte> data, Func<PickleGlobal, object?[], object?> call, Func<object?, object> load)
{
    const int MaxOperations = 20_000_000;

    static readonly object Mark = new();

    /// <summary>Globals that a PyTorch state dictionary refers to.</summary>
    static readonly HashSet<string> Allowed =
    [
        "collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter",
        "torch FloatStorage", "torch DoubleStorage", "torch HalfStorage", "torch BFloat16Storage", "torch LongStorage", "torch IntStorage",
        "torch ShortStorage", "torch CharStorage", "torch ByteStorage", "torch BoolStorage",
    ];

    readonly List<object?> _stack = [];
    readonly Dictionary<long, object?> _memo = [];

    /// <summary>Where the next pickle begins.</summary>
    internal int Position { get; private set; }

    /// <summary>Reads one pickle.</summary>
    /// <exception cref="FormatException">It is cut off, broken, or asks for something that is not allowed.</exception>
    internal object? Read()
    {
        _stack.Clear();
        _memo.Clear();
        for (int operations = 0; operations < MaxOperations; operations++)
        {
            byte opcode = Bytes(1)[0];
            if (opcode == (byte)'.')
            {
                return Pop();
            }

            Execute((char)opcode);
        }

        throw new FormatException($"more than {MaxOperations} operations");
    }

    void Execute(char opcode)
    {
        switch (opcode)
        {
            case '\x80': Bytes(1); break;
            case '\x95': Bytes(8); break;
            case '(': Push(Mark); break;
            case '0': Pop(); break;
            case '1': PopToMark(); break;
            case '}': Push(new PickleDict()); break;
            case ']': Push(new List<object?>()); break;
            case ')': Push(Array.Empty<object?>()); break;
            case 't': Push(PopToMark()); break;
            case '\x85': Push(PopMany(1)); break;
            case '\x86': Push(PopMany(2)); break;
            case '\x87': Push(PopMany(3)); break;
            case 'l': Push(PopToMark().ToList()); break;
            case 'd': SetItems(new PickleDict(), PopToMark(), push: true); break;
            case 'a': AppendAll([Pop()]); break;
            case 'e': AppendAll(PopToMark()); break;
            case 's': SetItems(null, PopMany(2)); break;
            case 'u': SetItems(null, PopToMark()); break;
            case 'b': Build(); break;
            case 'R': Reduce(); break;
            case 'c': Global(Line(), Line()); break;
            case '\x93': StackGlobal(); break;
            case 'Q': Push(load(Pop())); break;
            default: Literal(opcode); break;
        }
    }

    void Literal(char opcode)
    {
        switch (opcode)
        {
            case 'N': Push(null); break;
            case '\x88': Push(true); break;
            case '\x89': Push(false); break;
            case 'J': Push((long)BinaryPrimitives.ReadInt32LittleEndian(Bytes(4))); break;
            case 'K': Push((long)Bytes(1)[0]); break;
            case 'M': Push((long)BinaryPrimitives.ReadUInt16LittleEndian(Bytes(2))); break;
            case '\x8a': PushInteger(Bytes(Bytes(1)[0])); break;
            case '\x8b': PushInteger(Bytes(Math.Min(Length32(), 1024u))); break;
            case 'I': Push(TextInteger(Line())); break;
            case 'L': Push(TextInteger(Line().TrimEnd('L'))); break;
            case 'G': Push(BinaryPrimitives.ReadDoubleBigEndian(Bytes(8))); break;
            case 'F': Push(double.Parse(Line(), CultureInfo.InvariantCulture)); break;
            case 'X': Push(Utf8(Bytes(Length32()))); break;
            case '\x8c': Push(Utf8(Bytes(Bytes(1)[0]))); break;
            case '\x8d': Push(Utf8(Bytes(Length64()))); break;
            case 'U': Push(Encoding.Latin1.GetString(Bytes(Bytes(1)[0]))); break;
            case 'T': Push(Encoding.Latin1.GetString(Bytes(Length32()))); break;
            case 'V': Push(Line()); break;
            default: Memo(opcode); break;
        }
    }

    void Memo(char opcode)
    {
        switch (opcode)
        {
            case 'q': _memo[Bytes(1)[0]] = Top(); break;
            case 'r': _memo[Length32()] = Top(); break;
            case 'p': _memo[ParseIndex(Line())] = Top(); break;
            case '\x94': _memo[_memo.Count] = Top(); break;
            case 'h': Push(Remembered(Bytes(1)[0])); break;
            case 'j': Push(Remembered(Length32())); break;
            case 'g': Push(Remembered(ParseIndex(Line()))); break;
            default: throw new FormatException($"opcode 0x{(int)opcode:X2} at byte {Position - 1} is not one that a state dictionary needs: it is refused");
        }
    }

    void StackGlobal()
    {
        object?[] names = PopMany(2);
        if (names is not [string module, string name])
        {
            throw new FormatException("STACK_GLOBAL needs two texts");
        }

        Global(module, name);
    }

    void Global(string module, string name)
    {
        string global = $"{module} {name}";
        if (!Allowed.Contains(global))
        {
            throw new FormatException($"the pickle refers to '{module}.{name}', which is not part of a plain state dictionary: it is refused and nothing of it was run");
        }

        Push(new PickleGlobal(module, name));
    }

    void Reduce()
    {
        object?[] pair = PopMany(2);
        if (pair is not [PickleGlobal function, object?[] arguments])
        {
            throw new FormatException("a call needs a function and a tuple");
        }

        Push(call(function, arguments));
    }

    void Build()
    {
        object?[] pair = PopMany(2);

        // An OrderedDict's attributes (PyTorch's _metadata) carry no weights.
        Push(pair[0] is PickleDict dictionary ? dictionary : throw new FormatException("only a dictionary can be given attributes"));
    }

    void AppendAll(object?[] items)
    {
        if (Top() is not List<object?> list)
        {
            throw new FormatException("appends to something that is no list");
        }

        list.AddRange(items);
    }

    void SetItems(PickleDict? target, object?[] items, bool push = false)
    {
        PickleDict dictionary = target ?? Top() as PickleDict ?? throw new FormatException("sets items of something that is no dictionary");
        if (items.Length % 2 != 0)
        {
            throw new FormatException("a dictionary's items come in pairs");
        }

        for (int i = 0; i < items.Length; i += 2)
        {
            dictionary.Items.Add((items[i], items[i + 1]));
        }

        if (push)
        {
            Push(dictionary);
        }
    }

    void Push(object? value) => _stack.Add(value);

    /// <summary>Whole numbers are long, but for those that are longer (PyTorch's magic number).</summary>
    void PushInteger(ReadOnlySpan<byte> littleEndian)
    {
        var value = new BigInteger(littleEndian);
        Push(littleEndian.Length <= sizeof(long) ? (object)(long)value : value);
    }

    object? Top() => _stack.Count > 0 ? _stack[^1] : throw new FormatException("the stack is empty");

    object? Pop()
    {
        object? value = Top();
        _stack.RemoveAt(_stack.Count - 1);
        return value;
    }

    object?[] PopMany(int count)
    {
        if (_stack.Count < count)
        {
            throw new FormatException("the stack is empty");
        }

        object?[] values = [.. _stack[^count..]];
        _stack.RemoveRange(_stack.Count - count, count);
        return values;
    }

    object?[] PopToMark()
    {
        int mark = _stack.LastIndexOf(Mark);
        if (mark < 0)
        {
            throw new FormatException("the stack has no mark");
        }

        object?[] values = [.. _stack[(mark + 1)..]];
        _stack.RemoveRange(mark, _stack.Count - mark);
        return values;
    }

    object? Remembered(long index) => _memo.TryGetValue(index, out object? value) ? value : throw new FormatException($"memo {index} was never set");

    ReadOnlySpan<byte> Bytes(ulong count)
    {
        if (count > (ulong)(data.Length - Position))
        {
            throw new FormatException($"{(count == ulong.MaxValue ? "a line" : $"{count} bytes")} must follow byte {Position}; given {data.Length - Position} bytes, with which it ends: {IncompleteFile.Cure}");
        }

        ReadOnlySpan<byte> bytes = data.Span.Slice(Position, (int)count);
        Position += (int)count;
        return bytes;
    }

    uint Length32() => BinaryPrimitives.ReadUInt32LittleEndian(Bytes(4));

    ulong Length64() => BinaryPrimitives.ReadUInt64LittleEndian(Bytes(8));

    string Line()
    {
        int end = data.Span[Position..].IndexOf((byte)'\n');
        string line = Encoding.Latin1.GetString(Bytes(end >= 0 ? (ulong)end : ulong.MaxValue));
        Position++;
        return line;
    }

    static string Utf8(ReadOnlySpan<byte> bytes) => Encoding.UTF8.GetString(bytes);

    static long ParseIndex(string text) => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out long index)
        ? index
        : throw new FormatException($"a memo index is a number; given '{text}'");

    static object TextInteger(string text) => text switch
    {
        "00" => false,
        "01" => true,
        _ => long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? value
            : throw new FormatException($"not a whole number: '{text[..Math.Min(20, text.Length)]}'"),
    };
}

/// <summary>A name that a pickle refers to.</summary>
sealed record PickleGlobal(string Module, string Name);

/// <summary>A dictionary, in order; keys are what the pickle says.</summary>
sealed class PickleDict
{
    internal List<(object? Key, object? Value)> Items { get; } = [];
}
