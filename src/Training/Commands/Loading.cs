using IgptCluster.CommandLine;
using IgptCluster.Imaging.Processing;
using IgptCluster.Training.Data;

namespace IgptCluster.Training.Commands;

/// <summary>Folders into token data sets, with a line of progress.</summary>
internal static class Loading
{
    /// <summary>Lists, reads and tokenises a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="processor">Palette and size.</param>
    /// <param name="needsClasses">Refuses a folder without classes.</param>
    /// <param name="cancellationToken">Stops between images.</param>
    /// <exception cref="DataException">The folder or a file of it cannot be used; names it.</exception>
    internal static TokenDataset Load(string path, ImageProcessor processor, bool needsClasses, CancellationToken cancellationToken)
    {
        ImageFolder folder = ImageFolder.Open(path, needsClasses);
        using var progress = new ProgressLine($"Reading {Path.GetFileName(Path.TrimEndingDirectorySeparator(path))}", folder.Files.Count);
        return TokenDataset.Load(folder, processor, done => progress.Show(done), cancellationToken);
    }
}
