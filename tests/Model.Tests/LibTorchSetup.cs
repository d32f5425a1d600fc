using System.Runtime.CompilerServices;
using IgptCluster.Model.Torch;

namespace IgptCluster.Model.Tests;

/// <summary>Lets IGPT_LIBTORCH choose the tests' libtorch too, before any test touches TorchSharp.</summary>
static class LibTorchSetup
{
    [ModuleInitializer]
    internal static void Prepare() => LibTorch.Prepare();
}
