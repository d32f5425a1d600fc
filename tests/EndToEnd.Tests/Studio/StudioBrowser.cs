using Microsoft.Playwright;

namespace IgptCluster.EndToEnd.Tests.Studio;

/// <summary>A headless Chromium; where the system has none, its tests are skipped.</summary>
public sealed class StudioBrowser : IAsyncLifetime
{
    static readonly string[] Names = ["chromium", "chromium-browser", "google-chrome"];

    IPlaywright? _playwright;
    IBrowser? _browser;

    public async ValueTask InitializeAsync()
    {
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        string? program = Names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
        if (program is null)
        {
            return;
        }

        _playwright = await Playwright.CreateAsync();

        // Chromium's own sandbox refuses to run as root.
        _browser = await _playwright.Chromium.LaunchAsync(new BrowserTypeLaunchOptions { ExecutablePath = program, Args = ["--no-sandbox", "--disable-gpu"] });
    }

    /// <summary>A page of a visitor of his own.</summary>
    internal Task<StudioPage> OpenAsync(Uri gateway, string address = "", int width = 1280, int height = 800, ColorScheme scheme = ColorScheme.Light)
    {
        Assert.SkipWhen(_browser is null, "there is no Chromium in PATH: apt-get install chromium");
        return StudioPage.OpenAsync(_browser!, gateway, address, new ViewportSize { Width = width, Height = height }, scheme);
    }

    public async ValueTask DisposeAsync()
    {
        if (_browser is not null)
        {
            await _browser.CloseAsync();
        }

        _playwright?.Dispose();
    }
}
