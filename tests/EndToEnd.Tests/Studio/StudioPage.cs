using System.Collections.Concurrent;
using System.Globalization;
using System.Text.RegularExpressions;
using Deque.AxeCore.Commons;
using Microsoft.Playwright;

namespace IgptCluster.EndToEnd.Tests.Studio;

/// <summary>Studio in a browser, and all that it complains of.</summary>
internal sealed partial class StudioPage : IAsyncDisposable
{
    // A busy machine is no failure.
    const float Limit = 90_000;

    readonly ConcurrentQueue<string> _complaints = new();
    readonly IBrowserContext _context;
    readonly Uri _gateway;

    StudioPage(IBrowserContext context, IPage page, Uri gateway)
    {
        (_context, Page, _gateway) = (context, page, gateway);
        page.Console += (_, message) =>
        {
            if (message.Type is "error" or "warning")
            {
                _complaints.Enqueue(message.Text);
            }
        };
        page.PageError += (_, error) => _complaints.Enqueue(error);
    }

    public IPage Page { get; }

    /// <summary>The session that the address holds.</summary>
    public string Session => SessionInAddress().Match(Page.Url).Groups[1].Value;

    public static async Task<StudioPage> OpenAsync(IBrowser browser, Uri gateway, string address, ViewportSize size, ColorScheme scheme)
    {
        // Without motion a pixel is on the canvas as soon as it is known.
        IBrowserContext context = await browser.NewContextAsync(new BrowserNewContextOptions { ViewportSize = size, ColorScheme = scheme, ReducedMotion = ReducedMotion.Reduce, AcceptDownloads = true });
        context.SetDefaultTimeout(Limit);
        var page = new StudioPage(context, await context.NewPageAsync(), gateway);
        await page.GoAsync(address);
        return page;
    }

    public Task GoAsync(string address) => Page.GotoAsync(new Uri(_gateway, $"/{address}").ToString());

    public ILocator Button(string name) => Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = name, Exact = true });

    /// <summary>Starts a generation and waits until its session is on the easel.</summary>
    public async Task PaintAsync(int samples = 1)
    {
        await Page.GetByLabel("Samples", new PageGetByLabelOptions { Exact = true }).FillAsync(samples.ToString(CultureInfo.InvariantCulture));
        await Button("Paint").ClickAsync();
        await Page.Locator(".state, .problem").First.WaitForAsync();
        Assert.Equal("", string.Join('\n', await Page.Locator(".problem").AllInnerTextsAsync()));
    }

    public Task FinishAsync() => Page.Locator("[data-state=FINISHED]").WaitForAsync();

    /// <summary>The pixels of the picture on the easel, as a PNG's data address.</summary>
    public Task<string> PictureAsync() => Page.Locator(".easel > .pixels").First.EvaluateAsync<string>("canvas => canvas.toDataURL()");

    public Task UntilPictureAsync(string expected) => Page.WaitForFunctionAsync("expected => document.querySelector('.easel > .pixels')?.toDataURL() === expected", expected);

    /// <summary>What axe finds that keeps people from using the page.</summary>
    public async Task<string[]> BarriersAsync()
    {
        // Through the browser's own door: the page's policy lets in no script of others.
        await Page.EvaluateAsync(new BundledAxeScriptProvider().GetScript());
        return await Page.EvaluateAsync<string[]>(
            """async () => (await axe.run()).violations.filter(found => ['serious', 'critical'].includes(found.impact)).map(found => `${found.id}: ${found.nodes.map(node => node.html).join(' | ')}`)""");
    }

    /// <summary>Pixels by which the page is wider than its window.</summary>
    public Task<int> OverflowAsync() => Page.EvaluateAsync<int>("() => document.documentElement.scrollWidth - innerWidth");

    /// <summary>Fails if the browser has complained: an error of a script, or a broken policy. Refused and lost calls are told by the page itself.</summary>
    public void RequireNoComplaints() =>
        Assert.DoesNotContain(_complaints, complaint => !complaint.StartsWith("Failed to load resource", StringComparison.Ordinal));

    /// <summary>Fails if a request was refused or lost, too.</summary>
    public void RequireSilence() => Assert.Empty(_complaints);

    public async ValueTask DisposeAsync() => await _context.CloseAsync();

    [GeneratedRegex("#/s/([0-9a-f]{32})")]
    private static partial Regex SessionInAddress();
}
