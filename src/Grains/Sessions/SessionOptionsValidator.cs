using Microsoft.Extensions.Options;

namespace IgptCluster.Grains.Sessions;

/// <summary>Checks <see cref="SessionOptions"/> at start; the body is generated from its attributes.</summary>
[OptionsValidator]
internal sealed partial class SessionOptionsValidator : IValidateOptions<SessionOptions>;
