using System.Reflection;

namespace IgptCluster.Hosting;

/// <summary>This product.</summary>
public static class Product
{
    /// <summary>Its version.</summary>
    public static string Version { get; } = typeof(Product).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "";
}
