using IgptCluster.Contracts;
using IgptCluster.Imaging.Processing;

namespace IgptCluster.Gateway.Models;

/// <summary>A model as this gateway serves it: its description and, if the checkpoint has one, its image processor. Immutable; any thread.</summary>
/// <param name="Description">The model.</param>
/// <param name="Processor">Turns images into tokens and back; null if the checkpoint has no preprocessor_config.json.</param>
internal sealed record ServedModel(ModelDescription Description, ImageProcessor? Processor)
{
    /// <summary>The image processor.</summary>
    /// <exception cref="IgptException">Unsupported: the checkpoint has none.</exception>
    public ImageProcessor RequiredProcessor => Processor ?? throw new IgptException(
        IgptErrorCode.Unsupported,
        $"model '{Description.Name}' has no preprocessor_config.json, so no palette: send token grids and read token ids, or add that file to its folder");
}
