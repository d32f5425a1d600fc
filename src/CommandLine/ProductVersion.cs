using System.Reflection;

namespace IgptCluster.CommandLine;

/// <summary>The product's version, which all its programs share.</summary>
public static class ProductVersion
{
    /// <summary>The version, with the commit it was built from where that is known: <c>0.1.0+2d9ead8…</c>.</summary>
    public static string Text { get; } = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
}
