using System.Diagnostics;

namespace IgptCluster.Chaos.Faults;

/// <summary>A model's weights, which are written over in place as <c>cp</c> does: the file is emptied and filled again, with the same content.</summary>
/// <param name="model">The model's folder.</param>
internal sealed class WeightsFile(string model)
{
    /// <summary>The file's name.</summary>
    internal const string Name = "model.safetensors";

    const int Pieces = 16;
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    static readonly TimeSpan BetweenPieces = TimeSpan.FromMilliseconds(50);
    static readonly TimeSpan BetweenRounds = TimeSpan.FromMilliseconds(200);

    readonly string _path = Path.Combine(model, Name);
    readonly byte[] _content = File.ReadAllBytes(Path.Combine(model, Name));

    /// <summary>Writes it over until it is enough; it is whole afterwards.</summary>
    internal async Task OverwriteAsync(Func<bool> isEnough)
    {
        for (long begin = Stopwatch.GetTimestamp(); !isEnough() && Stopwatch.GetElapsedTime(begin) < Limit; await Task.Delay(BetweenRounds))
        {
            await using var file = new FileStream(_path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            file.SetLength(0);
            foreach (byte[] piece in _content.Chunk((_content.Length / Pieces) + 1))
            {
                await file.WriteAsync(piece);
                await Task.Delay(BetweenPieces);
            }
        }
    }
}
