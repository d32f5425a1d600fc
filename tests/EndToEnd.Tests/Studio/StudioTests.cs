using System.Text.Json;
using IgptCluster.Tests.Shared;
using Microsoft.Playwright;

namespace IgptCluster.EndToEnd.Tests.Studio;

/// <summary>Studio in a real browser, on a node that serves the bundled models.</summary>
public sealed class StudioTests(StudioNode node, StudioBrowser browser) : IClassFixture<StudioNode>, IClassFixture<StudioBrowser>
{
    const int Pixels = 1024;

    static readonly string Target = Path.Combine(GoldenSet.RepositoryRoot(), "assets", "images", "target.png");

    Uri Gateway => node.Server.HttpAddress!;

    [Fact]
    public async Task Paint_FourSamplesFromNothing_CompletesThemAll()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.PaintAsync(samples: 4);
        await studio.FinishAsync();
        ILocator samples = studio.Page.Locator(".branches a");
        await samples.Nth(3).WaitForAsync();
        await studio.Page.WaitForFunctionAsync("() => [...document.querySelectorAll('.branches .caption')].map(one => one.textContent).join() === 'Sample 1,Sample 2,Sample 3,Sample 4'");
        Assert.Equal("Complete", await studio.Page.Locator(".state").TextContentAsync());
        studio.RequireSilence();
    }

    [Fact]
    public async Task Paint_KeptRowsOfAPicture_AreThePrompt()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.Page.SetInputFilesAsync("input[type=file]", Target);
        ILocator easel = studio.Page.GetByLabel("How much of the picture to keep: arrow keys move the line");
        await easel.PressAsync("ArrowUp");
        await easel.PressAsync("ArrowUp");
        Assert.Equal("14 of 32 rows kept", await easel.GetAttributeAsync("aria-valuetext"));
        await studio.PaintAsync();
        await studio.FinishAsync();
        JsonElement session = await SessionAsync(studio.Session);
        Assert.Equal(14 * 32, session.GetProperty("promptTokens").GetInt32());
        Assert.Equal(Pixels, session.GetProperty("position").GetInt32());
        studio.RequireSilence();
    }

    [Fact]
    public async Task Paint_DrawnPixels_StayAsDrawn()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.Button("Paint pixels").ClickAsync();
        ILocator colour = studio.Page.GetByRole(AriaRole.Option).First;
        await colour.ClickAsync();
        int token = await ChosenAsync(studio);
        await PointAsync(studio, column: 20, row: 30);
        await studio.PaintAsync();
        await studio.FinishAsync();
        Assert.Equal(token, (await TokensAsync(studio.Session))[(30 * 32) + 20]);
        studio.RequireSilence();
    }

    [Fact]
    public async Task PauseAndResume_GoOnFromThePixelReached()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        int position = await PausedAsync(studio);
        Assert.Equal("Paused", await studio.Page.Locator(".state").TextContentAsync());

        // Opened again, a paused session shows what it has, and stays paused.
        await studio.Page.ReloadAsync();
        await studio.Page.Locator($"[data-state=PAUSED][data-made='{position}']").WaitForAsync();
        Assert.Equal("SESSION_STATE_PAUSED", (await SessionAsync(studio.Session)).GetProperty("state").GetString());
        await studio.Button("Resume").ClickAsync();
        await studio.FinishAsync();
        Assert.Equal(Pixels, (await SessionAsync(studio.Session)).GetProperty("position").GetInt32());
        studio.RequireNoComplaints();
    }

    [Fact]
    public async Task Rewind_ByDragging_KeepsWhatIsAboveAndPaintsTheRestAnew()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.PaintAsync();
        await studio.FinishAsync();
        int[] before = await TokensAsync(studio.Session);
        await PointAsync(studio, column: 7, row: 20);
        await studio.Page.GetByText("From row 21, column 8.").WaitForAsync();
        await studio.Button("Rewind").ClickAsync();
        await studio.Page.Locator(".facts", new PageLocatorOptions { HasText = "1 ×" }).WaitForAsync();
        await studio.FinishAsync();
        JsonElement session = await SessionAsync(studio.Session);
        Assert.Equal((1, Pixels), (session.GetProperty("rewinds").GetInt32(), session.GetProperty("position").GetInt32()));
        Assert.Equal(before[..((20 * 32) + 7)], (await TokensAsync(studio.Session))[..((20 * 32) + 7)]);
        studio.RequireNoComplaints();
    }

    [Fact]
    public async Task Fork_WithAPaintedPixelByKeyboard_IsABranchThatHasIt()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.PaintAsync();
        await studio.FinishAsync();
        string parent = studio.Session;
        int[] before = await TokensAsync(parent);
        await studio.Button("Paint pixels").ClickAsync();
        await studio.Page.GetByRole(AriaRole.Option).First.ClickAsync();
        int token = await ChosenAsync(studio);
        ILocator easel = studio.Page.GetByRole(AriaRole.Slider, new PageGetByRoleOptions { NameRegex = new("^Picture") });
        await easel.PressAsync("End");
        for (int i = 0; i < 4; i++)
        {
            await easel.PressAsync("ArrowUp");
        }

        await easel.PressAsync("Space");
        await studio.Page.GetByText("the painted pixel stays").WaitForAsync();
        await studio.Button("Fork").ClickAsync();
        await studio.Page.WaitForURLAsync(address => address.Contains("#/s/", StringComparison.Ordinal) && !address.Contains(parent + "?", StringComparison.Ordinal) && !address.EndsWith(parent, StringComparison.Ordinal), new PageWaitForURLOptions { WaitUntil = WaitUntilState.Commit });
        await studio.FinishAsync();
        int painted = Pixels - 1 - (4 * 32);
        int[] after = await TokensAsync(studio.Session);
        Assert.Equal(before[..painted], after[..painted]);
        Assert.Equal(token, after[painted]);
        Assert.Equal(parent, (await SessionAsync(studio.Session)).GetProperty("parent").GetString());
        await studio.Page.Locator(".branches li li a[aria-current=true]").WaitForAsync();
        Assert.Equal(before, await TokensAsync(parent));
        studio.RequireSilence();
    }

    [Fact]
    public async Task Address_OpenedAgainAndElsewhere_ShowsTheSamePicture()
    {
        await using StudioPage first = await browser.OpenAsync(Gateway);
        await first.PaintAsync(samples: 2);
        await using StudioPage second = await browser.OpenAsync(Gateway, new Uri(first.Page.Url).Fragment);
        await first.FinishAsync();
        await second.FinishAsync();
        string picture = await first.PictureAsync();
        await second.UntilPictureAsync(picture);
        await first.Page.ReloadAsync();
        await first.FinishAsync();
        await first.UntilPictureAsync(picture);

        // What one of them does, the other sees.
        await PointAsync(first, column: 0, row: 10);
        await first.Button("Rewind").ClickAsync();
        await second.Page.Locator(".facts", new PageLocatorOptions { HasText = "1 ×" }).WaitForAsync();
        await first.FinishAsync();
        await second.FinishAsync();
        await second.UntilPictureAsync(await first.PictureAsync());
        first.RequireNoComplaints();
        second.RequireNoComplaints();
    }

    [Fact]
    public async Task LookCloser_ShowsSurpriseAndEveryHead()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.Page.SetInputFilesAsync("input[type=file]", Target);
        await studio.Button("Surprise per pixel").ClickAsync();
        await studio.Page.Locator(".heat").WaitForAsync();
        await studio.Page.Locator(".facts", new PageLocatorOptions { HasText = "bits per pixel" }).WaitForAsync();
        await studio.Button("Classify").ClickAsync();
        await studio.Page.Locator(".head").Nth(1).WaitForAsync();
        Assert.Equal(["target", "target"], await studio.Page.Locator(".bars li:first-child .bar-label").AllTextContentsAsync());
        Assert.Equal(0, await studio.Page.Locator(".heat:visible").CountAsync());
        studio.RequireSilence();
    }

    [Theory]
    [InlineData("PNG", "IDAT")]
    [InlineData("Animation", "acTL")]
    public async Task Download_HandsOverAPictureFile(string button, string chunk)
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.PaintAsync();
        await studio.FinishAsync();
        IDownload download = await studio.Page.RunAndWaitForDownloadAsync(() => studio.Button(button).ClickAsync());
        byte[] file = await File.ReadAllBytesAsync(await download.PathAsync(), TestContext.Current.CancellationToken);
        Assert.Equal([0x89, (byte)'P', (byte)'N', (byte)'G'], file[..4]);
        Assert.True(file.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(chunk)) > 0);
        studio.RequireSilence();
    }

    [Fact]
    public async Task Cluster_ScalesAndRefusesToDrainTheOnlySilo()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway, "#/cluster");
        await studio.Page.GetByText("1 of 1 replica ready").First.WaitForAsync();
        await studio.Button("One replica of shapes-classifier more").ClickAsync();
        await studio.Button("Scale").ClickAsync();
        await studio.Page.GetByText("2 of 2 replicas ready").WaitForAsync();
        await studio.Button("One replica of shapes-classifier less").ClickAsync();
        await studio.Button("Scale").ClickAsync();
        await studio.Page.GetByText("2 of 2 replicas ready").WaitForAsync(new LocatorWaitForOptions { State = WaitForSelectorState.Hidden });
        studio.RequireSilence();

        await studio.Page.GetByRole(AriaRole.Button, new PageGetByRoleOptions { Name = "Drain", Exact = true }).ClickAsync();
        await studio.Button("Leave it").ClickAsync();
        Assert.Equal(0, await studio.Page.Locator(".problem").CountAsync());
        await studio.Button("Drain").ClickAsync();
        await studio.Page.Locator("dialog").GetByRole(AriaRole.Button, new LocatorGetByRoleOptions { Name = "Drain" }).ClickAsync();
        await studio.Page.Locator(".problem").WaitForAsync();
        Assert.Equal(0, await studio.Page.GetByText("Draining").CountAsync());
        studio.RequireNoComplaints();
    }

    [Fact]
    public async Task Refusal_IsShownAsRuleAndValueBesideTheButton()
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway);
        await studio.Page.GetByLabel("Temperature", new PageGetByLabelOptions { Exact = true }).FillAsync("-1");
        await studio.Button("Paint").ClickAsync();
        ILocator problem = studio.Page.Locator(".act .problem");
        await problem.WaitForAsync();
        string text = await problem.InnerTextAsync();
        Assert.Contains("temperature", text, StringComparison.Ordinal);
        Assert.Contains("-1", text, StringComparison.Ordinal);
        await studio.GoAsync("#/s/00000000000000000000000000000000");
        await studio.Page.Locator(".act .problem").WaitForAsync();
        Assert.Equal("Not to be had", await studio.Page.Locator(".state").TextContentAsync());
        studio.RequireNoComplaints();
    }

    [Theory]
    [InlineData(ColorScheme.Light, 1280)]
    [InlineData(ColorScheme.Dark, 1280)]
    [InlineData(ColorScheme.Light, 360)]
    [InlineData(ColorScheme.Dark, 360)]
    public async Task EveryView_HasNoBarriersAndFitsItsWindow(ColorScheme scheme, int width)
    {
        await using StudioPage studio = await browser.OpenAsync(Gateway, width: width, scheme: scheme);
        await studio.Page.Locator(".invite").WaitForAsync();
        await CheckAsync();
        await studio.Page.SetInputFilesAsync("input[type=file]", Target);
        await studio.Button("Paint pixels").ClickAsync();
        await CheckAsync();
        await studio.PaintAsync(samples: 3);
        await studio.FinishAsync();
        await studio.Page.Locator(".branches a").Nth(2).WaitForAsync();
        await PointAsync(studio, column: 3, row: 25);
        await studio.Button("Classify").ClickAsync();
        await studio.Page.Locator(".bars").First.WaitForAsync();
        await CheckAsync();
        await studio.GoAsync("#/cluster");
        await studio.Page.Locator(".card").First.WaitForAsync();
        await CheckAsync();
        studio.RequireSilence();

        async Task CheckAsync()
        {
            Assert.Empty(await studio.BarriersAsync());
            Assert.Equal(0, await studio.OverflowAsync());
        }
    }

    /// <summary>Presses on a pixel of the picture.</summary>
    static async Task PointAsync(StudioPage studio, int column, int row)
    {
        ILocator easel = studio.Page.Locator(".easel");
        await easel.ScrollIntoViewIfNeededAsync();
        LocatorBoundingBoxResult box = (await easel.BoundingBoxAsync())!;
        await studio.Page.Mouse.MoveAsync(box.X + (box.Width / 2), box.Y + (box.Height * 0.9f));
        await studio.Page.Mouse.MoveAsync(box.X + (box.Width * (column + 0.5f) / 32), box.Y + (box.Height * (row + 0.5f) / 32));
        await studio.Page.Mouse.DownAsync();
        await studio.Page.Mouse.UpAsync();
    }

    /// <summary>Paints until a pause came before the end; the position it came at.</summary>
    async Task<int> PausedAsync(StudioPage studio)
    {
        while (true)
        {
            await studio.PaintAsync(samples: 8);
            await studio.Page.Locator("[data-state=PAUSED], [data-state=RUNNING], [data-state=FINISHED]").First.WaitForAsync();
            using (var gateway = new HttpGateway(Gateway))
            {
                await gateway.JsonAsync(HttpMethod.Post, $"/v1/sessions/{studio.Session}/resume", "{}");
            }

            // The button is there while the session has not ended: where it has, there is another try.
            if (await studio.Button("Pause").IsVisibleAsync() && await TryClickAsync(studio.Button("Pause")))
            {
                await studio.Page.Locator("[data-state=PAUSED], [data-state=FINISHED]").WaitForAsync();
                JsonElement session = await SessionAsync(studio.Session);
                if (session.GetProperty("state").GetString() == "SESSION_STATE_PAUSED")
                {
                    int position = session.GetProperty("position").GetInt32();
                    await studio.Page.Locator($"[data-made='{position}']").WaitForAsync();
                    return position;
                }
            }

            await studio.GoAsync("#/");
        }
    }

    static async Task<bool> TryClickAsync(ILocator button)
    {
        try
        {
            await button.ClickAsync(new LocatorClickOptions { Timeout = 5_000 });
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    static async Task<int> ChosenAsync(StudioPage studio) =>
        await studio.Page.Locator(".swatch[aria-selected=true]").EvaluateAsync<int>("swatch => Number(swatch.id.slice(1))");

    async Task<JsonElement> SessionAsync(string id)
    {
        using var gateway = new HttpGateway(Gateway);
        return await gateway.JsonAsync(HttpMethod.Get, $"/v1/sessions/{id}");
    }

    /// <summary>All tokens of a session that began with nothing.</summary>
    async Task<int[]> TokensAsync(string id)
    {
        using var gateway = new HttpGateway(Gateway);
        var tokens = new List<int>();
        await foreach (System.Net.ServerSentEvents.SseItem<string> item in gateway.EventsAsync(HttpGateway.Request(HttpMethod.Get, $"/v1/sessions/{id}/events")))
        {
            tokens.AddRange(HttpGateway.Parse(item).Tokens?.Ids.Select(token => (int)token) ?? []);
        }

        return [.. tokens];
    }
}
