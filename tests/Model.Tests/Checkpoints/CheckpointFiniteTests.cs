using IgptCluster.Model.Checkpoints;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Checkpoints;

/// <summary>A number that is none is found wherever it lies, and nothing else is taken for one.</summary>
public sealed class CheckpointFiniteTests : IDisposable
{
    const string Weight = "wte.weight";
    static readonly ImageGptConfig Config = new() { VocabSize = 300, PositionCount = 4, EmbeddingSize = 20, LayerCount = 1, HeadCount = 2 };
    static readonly long Count = Config.VocabSize * Config.EmbeddingSize;

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-test-").FullName;

    public static TheoryData<ScalarType, float, bool> Numbers => new()
    {
        { ScalarType.Float32, float.NaN, false },
        { ScalarType.Float32, -float.NaN, false },
        { ScalarType.Float32, float.PositiveInfinity, false },
        { ScalarType.Float32, float.NegativeInfinity, false },
        { ScalarType.Float32, float.MaxValue, true },
        { ScalarType.Float32, float.MinValue, true },
        { ScalarType.Float32, -float.Epsilon, true },
        { ScalarType.BFloat16, float.NegativeInfinity, false },
        { ScalarType.Float16, float.NaN, false },
        { ScalarType.Float16, -65504, true },
    };

    [Theory]
    [MemberData(nameof(Numbers))]
    public void Read_NumberAnywhere_RefuseWhatIsNotFinite(ScalarType dtype, float number, bool isFinite)
    {
        foreach (long place in new[] { 0, 1, 7, 8, 15, 16, 31, 4095, 4096, 4111, Count - 2, Count - 1 })
        {
            CheckpointWriter.Write(
                _folder,
                new CheckpointContent { Config = Config, Architecture = ImageGptArchitecture.Model, DType = dtype },
                weight => weight.Name == Weight ? zeros([.. weight.Shape]).flatten().index_fill(0, tensor([place]), number).reshape([.. weight.Shape]) : zeros([.. weight.Shape]));
            using Checkpoint checkpoint = Checkpoint.Open(_folder);
            foreach ((long start, int count) in new[] { (0, (int)Count), (place, 1), (Math.Max(0, place - 9), (int)Math.Min(11, Count - Math.Max(0, place - 9))) })
            {
                float[] values = new float[count];
                AssertRefused(!isFinite, () => checkpoint.Read(Weight, start, values));
            }

            // What lies beside it is not its business.
            checkpoint.Read(Weight, 0, new float[place]);
            checkpoint.Read(Weight, place + 1, new float[Count - place - 1]);
        }
    }

    static void AssertRefused(bool isRefused, Action read)
    {
        if (isRefused)
        {
            Assert.Contains(Weight, Assert.Throws<CheckpointException>(read).Message, StringComparison.Ordinal);
        }
        else
        {
            read();
        }
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
