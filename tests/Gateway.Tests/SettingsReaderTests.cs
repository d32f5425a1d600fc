using System.ComponentModel.DataAnnotations;
using IgptCluster.Hosting;
using IgptCluster.Hosting.Settings;
using Microsoft.Extensions.Configuration;

namespace IgptCluster.Gateway.Tests;

/// <summary>What a process says of its settings.</summary>
public sealed class SettingsReaderTests
{
    [Theory]
    [InlineData("Igpt:Slotz: there is no such setting; the nearest is Igpt:Slots", "Igpt:Slotz", "3")]
    [InlineData("Igpt:Cluster:SilPort: there is no such setting; the nearest is Igpt:Cluster:SiloPort", "Igpt:Cluster:SilPort", "3")]
    [InlineData("Igpt:Clustre: there is no such setting; the nearest is Igpt:Cluster", "Igpt:Clustre:SiloPort", "3")]
    [InlineData("Igpt:Models:0:Pth: there is no such setting; the nearest is Igpt:Models:0:Path", "Igpt:Models:0:Pth", "x", "Igpt:Models:0:Path", "y")]
    [InlineData("Igtp: there is no such section of settings; the nearest is Igpt", "Igtp:Slots", "3")]
    [InlineData("Igpt:Nonsense: there is no such setting", "Igpt:Nonsense", "3")]
    [InlineData("Igpt:Slots: must be a whole number; given 'many'", "Igpt:Slots", "many")]
    [InlineData("Igpt:Slots: must be between 1 and 4096; given '0'", "Igpt:Slots", "0")]
    [InlineData("Igpt:PinThreads: must be true or false; given 'perhaps'", "Igpt:PinThreads", "perhaps")]
    [InlineData("Igpt:DecodeStretch: must be a number such as 2.5; given '2,2'", "Igpt:DecodeStretch", "2,2")]
    [InlineData("Igpt:DecodeStretch: must be between 1.05 and 1000; given 'NaN'", "Igpt:DecodeStretch", "NaN")]
    [InlineData("Igpt:Cluster:SilenceLimit: must be a duration, hours:minutes:seconds, such as 00:00:30; given 'soon'", "Igpt:Cluster:SilenceLimit", "soon")]
    [InlineData("Igpt:DType: must be float32, bfloat16 or int8; given 'float64'", "Igpt:DType", "float64")]
    [InlineData("Igpt:Gateway:MaxImages: must be between 1 and 1024; given '0'", "Igpt:Gateway:MaxImages", "0")]
    public void Read_OneMistake_NamesSettingRuleAndValue(string expected, params string[] pairs) => Assert.Equal(expected, Refused(pairs));

    [Fact]
    public void Read_SeveralMistakes_TellsAllAtOnce()
    {
        string[] told = Refused("Igpt:Slotz", "3", "Igpt:Cluster:SiloPort", "0", "Igpt:Listen:Grpc", "here", "Igpt:Gateway:MaxSamples", "many").Split('\n');
        Assert.Equal(4, told.Length);
        Assert.Equal(["Igpt:Cluster:SiloPort", "Igpt:Gateway:MaxSamples", "Igpt:Listen:Grpc", "Igpt:Slotz"], told.Select(line => line.Split(": ")[0].Split(' ')[0]).Order());
    }

    [Fact]
    public void Read_AllKnownSettings_AreTaken()
    {
        NodeSettings settings = Read(
            "igpt:slots", "7", "Igpt:DType", "bf16", "Igpt:Models:0:Path", "x", "Igpt:Models:0:KvDType", "FP32", "Igpt:Sessions:MaxResumptions", "5", "Igpt:Drain:Budget", "00:01:00",
            "Igpt:Gateway:MaxImages", "2", "Logging:LogLevel:Default", "Debug", "IGPT_LIBTORCH", "x");
        Assert.Equal((7, "bfloat16", "float32"), (settings.Replicas.Slots, settings.Replicas.DType, settings.Replicas.Models[0].KvDType));
    }

    [Fact]
    public void Read_FirstProcessOfAMachine_KeepsThePortsThatClientsKnow()
    {
        ListenOptions listen = Read().Listen;
        Assert.Equal(("127.0.0.1:5081", "127.0.0.1:5080"), (listen.Grpc, listen.Http));
    }

    [Fact]
    public void Read_ProcessThatJoinsWherePortsAreTaken_TakesTheNextFreeOnes()
    {
        using System.Net.Sockets.TcpListener? grpc = Take(5081), http = Take(5080), silo = Take(11111);
        NodeSettings settings = Read("Igpt:Cluster:PrimaryPort", "11111");
        string[] chosen = [settings.Listen.Grpc, settings.Listen.Http, $"127.0.0.1:{settings.Cluster.SiloPort}"];
        Assert.Equal(3, chosen.Distinct().Count());
        Assert.DoesNotContain(chosen, one => one is "127.0.0.1:5080" or "127.0.0.1:5081" or "127.0.0.1:11111");
        Assert.All(chosen, one => Take(System.Net.IPEndPoint.Parse(one).Port)!.Dispose());
        Assert.Empty(chosen.Intersect([Read("Igpt:Cluster:PrimaryPort", "11111").Listen.Grpc]));
        Assert.Equal("127.0.0.1:5081", Read("Igpt:Cluster:PrimaryPort", "11111", "Igpt:Listen:Grpc", "127.0.0.1:5081").Listen.Grpc);
    }

    /// <summary>Listens at a port; null where another program does.</summary>
    static System.Net.Sockets.TcpListener? Take(int port)
    {
        var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return listener;
        }
        catch (System.Net.Sockets.SocketException)
        {
            return null;
        }
    }

    static string Refused(params string[] pairs) => Assert.Throws<ValidationException>(() => Read(pairs)).Message;

    static NodeSettings Read(params string[] pairs) => NodeSettings.Read(
        new ConfigurationBuilder().AddInMemoryCollection(pairs.Chunk(2).Select(pair => KeyValuePair.Create(pair[0], (string?)pair[1]))).Build(),
        reader =>
        {
            reader.Read<GatewayOptions>("Igpt:Gateway");
            reader.Read<Grains.Sessions.SessionOptions>("Igpt:Sessions");
            reader.Read<Grains.Silos.DrainOptions>("Igpt:Drain");
        });
}
