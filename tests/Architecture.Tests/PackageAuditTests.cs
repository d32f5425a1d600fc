using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace IgptCluster.Architecture.Tests;

/// <summary>What an advisory on a package does to the build of a fresh clone.</summary>
public sealed class PackageAuditTests : IAsyncDisposable
{
    const string Package = "Iced"; // any that the build uses, so that it is here already

    readonly HttpListener _source = new();
    readonly string _folder;
    readonly string _address;
    readonly Task _serving;

    public PackageAuditTests()
    {
        _folder = Directory.CreateDirectory(Path.Combine(AppContext.BaseDirectory, $"audit-{Guid.NewGuid():N}")).FullName;
        _address = $"http://127.0.0.1:{FreePort()}/";
        _source.Prefixes.Add(_address);
        _source.Start();
        _serving = ServeAsync();
    }

    static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Restore_PackageWithAnAdvisory_TellsItAndSucceeds()
    {
        // Inside the repository, so that its Directory.Build.props holds.
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "Audited.csproj"),
            $"""<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><ArtifactsPath>{_folder}/artifacts</ArtifactsPath></PropertyGroup><ItemGroup><PackageReference Include="{Package}" /></ItemGroup></Project>""",
            Cancelled);
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "NuGet.config"),
            $"""<configuration><auditSources><clear /><add key="audit" value="{_address}index.json" allowInsecureConnections="true" /></auditSources></configuration>""",
            Cancelled);
        using var restore = new Process { StartInfo = new ProcessStartInfo("dotnet", ["restore", "--force"]) { WorkingDirectory = _folder, RedirectStandardOutput = true, RedirectStandardError = true } };
        restore.StartInfo.Environment["NUGET_HTTP_CACHE_PATH"] = Path.Combine(_folder, "cache");
        restore.Start();
        Task<string> error = restore.StandardError.ReadToEndAsync(Cancelled);
        string output = await restore.StandardOutput.ReadToEndAsync(Cancelled) + await error;
        await restore.WaitForExitAsync(Cancelled);
        Assert.True(restore.ExitCode == 0, output);
        Assert.Contains("warning NU1904", output, StringComparison.Ordinal);
        Assert.Contains(Package, output, StringComparison.Ordinal);
    }

    public async ValueTask DisposeAsync()
    {
        _source.Stop();
        await _serving;
        _source.Close();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>A package source with advisories alone: one of critical severity on every version of the package.</summary>
    async Task ServeAsync()
    {
        while (_source.IsListening)
        {
            try
            {
                HttpListenerContext asked = await _source.GetContextAsync();
                string answer = asked.Request.Url!.AbsolutePath switch
                {
                    "/index.json" => $$"""{"version": "3.0.0", "resources": [{"@id": "{{_address}}advisories.json", "@type": "VulnerabilityInfo/6.7.0"}]}""",
                    "/advisories.json" => $$"""[{"@name": "all", "@id": "{{_address}}all.json", "@updated": "2026-01-01T00:00:00Z"}]""",
                    _ => $$"""{"{{Package.ToLowerInvariant()}}": [{"url": "https://example.org/advisory", "severity": 3, "versions": "(, 1000.0.0)"}]}""",
                };
                asked.Response.ContentType = "application/json";
                asked.Response.Close(Encoding.UTF8.GetBytes(answer), willBlock: false);
            }
            catch (Exception stopped) when (stopped is HttpListenerException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    static string FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port.ToString(CultureInfo.InvariantCulture);
    }
}
