using IgptCluster.Model.Checkpoints;
using IgptCluster.Model.Cpu;
using IgptCluster.Tests.Shared;
using static TorchSharp.torch;

namespace IgptCluster.Model.Tests.Checkpoints;

/// <summary>The version is of what lies in the files, whatever has been read of them before.</summary>
public sealed class CheckpointVersionTests
{
    static string Folder => Path.Combine(GoldenSet.RepositoryRoot(), "tests", "models", "tiny-random");

    static string Version
    {
        get
        {
            using Checkpoint checkpoint = Checkpoint.Open(Folder);
            return checkpoint.ComputeVersion();
        }
    }

    [Theory]
    [InlineData(ScalarType.Float32)]
    [InlineData(ScalarType.BFloat16)]
    [InlineData(ScalarType.Int8)]
    public void ComputeVersion_AfterLoading_IsThatOfTheFiles(ScalarType dtype)
    {
        using Checkpoint checkpoint = Checkpoint.Open(Folder);
        Assert.SkipUnless(CpuNetwork.Fits(checkpoint.Config), "this machine has no vectors for the runner");
        using var network = new CpuNetwork(checkpoint.Config, checkpoint.Architecture, dtype, checkpoint);
        Assert.Equal(Version, checkpoint.ComputeVersion());
        Assert.Equal(Version, checkpoint.ComputeVersion());
    }

    [Fact]
    public void ComputeVersion_AfterReadingPartsInAnyOrder_IsThatOfTheFiles()
    {
        using Checkpoint checkpoint = Checkpoint.Open(Folder);
        int width = checkpoint.Config.EmbeddingSize;
        float[] row = new float[width];
        foreach (int first in new[] { 2, 0, 1, 0, 5, 2 })
        {
            checkpoint.Read("wte.weight", first * width, row);
            checkpoint.Read("wpe.weight", first * width, row);
        }

        Assert.Equal(Version, checkpoint.ComputeVersion());
    }
}
