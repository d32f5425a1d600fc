using System.Text;
using IgptCluster.Contracts;

namespace IgptCluster.Gateway.Errors;

/// <summary>Text that fits into a status.</summary>
internal static class StatusText
{
    const string Rest = "…";
    const int EscapedByte = 3; // %E2

    /// <summary>A text as long as its trailer may be, or its beginning and an ellipsis.</summary>
    /// <param name="text">The text.</param>
    /// <param name="maxBytes">Most bytes of the trailer, where every byte that is no printable ASCII takes three.</param>
    internal static string Fit(string text, int maxBytes)
    {
        int bytes = 0;
        int fitting = 0; // characters that leave room for the ellipsis
        for (int at = 0; at < text.Length;)
        {
            Rune.DecodeFromUtf16(text.AsSpan(at), out Rune rune, out int length);
            bytes += rune.Value is >= ' ' and <= '~' and not '%' ? 1 : rune.Utf8SequenceLength * EscapedByte;
            if (bytes > maxBytes)
            {
                return Echo.Cut(text, fitting) + Rest;
            }

            at += length;
            fitting = bytes <= maxBytes - (Encoding.UTF8.GetByteCount(Rest) * EscapedByte) ? at : fitting;
        }

        return text;
    }
}
