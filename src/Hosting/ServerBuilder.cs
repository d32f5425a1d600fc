using System.ComponentModel.DataAnnotations;
using IgptCluster.Hosting.Logging;
using IgptCluster.Hosting.Settings;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;

namespace IgptCluster.Hosting;

/// <summary>How every server's process begins.</summary>
public static class ServerBuilder
{
    /// <summary>
    /// A builder over appsettings.json, environment and command line, which are read once: nobody's settings change while a server runs, and watching their files takes one of the machine's
    /// inotify instances (128 by default) for each process.
    /// </summary>
    /// <param name="settings">Settings of the command line; they win over files and environment.</param>
    /// <exception cref="ValidationException">A file of settings cannot be read.</exception>
    public static WebApplicationBuilder Create(IReadOnlyDictionary<string, string?> settings)
    {
        SettingsFiles.Check();
        WebApplicationBuilder builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = ["--hostBuilder:reloadConfigOnChange=false"] });
        builder.Configuration.AddInMemoryCollection(settings);
        builder.Logging.AddIgptLogging();
        builder.Services.AddHostedService<UncaughtFailures>();
        return builder;
    }
}
