using Microsoft.Extensions.Options;

namespace IgptCluster.Grains.Silos;

/// <summary>Checks <see cref="DrainOptions"/> at start; the body is generated from its attributes.</summary>
[OptionsValidator]
internal sealed partial class DrainOptionsValidator : IValidateOptions<DrainOptions>;
