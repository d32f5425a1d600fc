using IgptCluster.Files;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Decoding;

namespace IgptCluster.Training.Data;

/// <summary>
/// A folder of images as <c>class/name.png</c>, listed but not read: its sub-folders are the classes, in the order of their names. Images that
/// lie in the folder itself have no class. Any format that the gateway reads will do.
/// </summary>
internal sealed class ImageFolder
{
    static readonly HashSet<string> Extensions = new(StringComparer.OrdinalIgnoreCase) { ".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp" };

    ImageFolder(string path, IReadOnlyList<string> classes, IReadOnlyList<(string Path, int Label)> files)
    {
        (Path, Classes, Files) = (path, classes, files);
    }

    /// <summary>The folder.</summary>
    internal string Path { get; }

    /// <summary>Names of the classes by label; empty where images lie in the folder itself.</summary>
    internal IReadOnlyList<string> Classes { get; }

    /// <summary>Files with their label, −1 without classes; ordered by class and name.</summary>
    internal IReadOnlyList<(string Path, int Label)> Files { get; }

    /// <summary>Lists a folder.</summary>
    /// <param name="path">The folder.</param>
    /// <param name="needsClasses">Refuses a folder without classes.</param>
    /// <exception cref="DataException">No such folder, no images, images both in and beside class folders, an empty class.</exception>
    internal static ImageFolder Open(string path, bool needsClasses = false)
    {
        if (!Directory.Exists(path))
            throw new DataException($"{path}: there is no such folder; data are folders of images as class/name.png (igpt-train shapes draws some)");
        string[] loose = Images(path);
        string[] folders = [.. Directory.EnumerateDirectories(path).Where(folder => !IsHidden(folder)).Order(StringComparer.Ordinal)];
        string[][] byClass = [.. folders.Select(Images)];
        if (loose.Length > 0 && byClass.Any(files => files.Length > 0))
            throw new DataException($"{loose[0]}: images must lie either all in class folders or all in the folder itself; given both in {path}: move it into a class folder");
        if (loose.Length > 0)
        {
            return needsClasses
                ? throw new DataException($"{loose[0]}: lies beside no class folder; this command learns classes and needs {path}/class/name.png: move each image into a folder named after its class")
                : new ImageFolder(path, [], [.. loose.Select(file => (file, -1))]);
        }

        int empty = Array.FindIndex(byClass, files => files.Length == 0);
        if (folders.Length == 0)
            throw new DataException($"{path}: holds neither images nor class folders; accepted are {string.Join(", ", Extensions.Order())}");
        if (empty >= 0)
            throw new DataException($"{folders[empty]}: a class folder must hold images ({string.Join(", ", Extensions.Order())}); given none: is {path} the folder of the classes itself?");
        if (needsClasses && folders.Length < 2)
            throw new DataException($"{path}: a classifier needs at least two class folders; given one, {System.IO.Path.GetFileName(folders[0])}");
        return new ImageFolder(
            path,
            [.. folders.Select(folder => System.IO.Path.GetFileName(folder)!)],
            [.. byClass.SelectMany((files, label) => files.Select(file => (file, label)))]);
    }

    /// <summary>Reads one image.</summary>
    /// <param name="path">Its file.</param>
    /// <exception cref="DataException">It cannot be read or decoded; names the file.</exception>
    internal static RgbImage Read(string path)
    {
        try
        {
            return ImageDecoder.Decode(UserFile.ReadBytes(path, ImageLimits.Default.MaxBytes));
        }
        catch (UserFileException failure)
        {
            throw new DataException(failure.Message, failure);
        }
        catch (ImagingException failure)
        {
            throw new DataException($"{path}: {failure.Message}", failure);
        }
    }

    static string[] Images(string folder) =>
        [.. Directory.EnumerateFiles(folder).Where(file => Extensions.Contains(System.IO.Path.GetExtension(file)) && !IsHidden(file)).Order(StringComparer.Ordinal)];

    static bool IsHidden(string path) => System.IO.Path.GetFileName(path).StartsWith('.');
}
