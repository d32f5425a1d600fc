using System.Diagnostics;
using System.Net.Sockets;

namespace IgptCluster.Files.Tests;

public sealed class UserFileTests : IDisposable
{
    const int MaxBytes = 100;

    readonly string _folder = Directory.CreateTempSubdirectory("igpt-files-").FullName;

    [Fact]
    public void ReadText_RegularFile_GivesItsTextWithoutByteOrderMark()
    {
        File.WriteAllText(PathOf("a"), "grün", new System.Text.UTF8Encoding(encoderShouldEmitUTF8Identifier: true));
        Assert.Equal("grün", UserFile.ReadText(PathOf("a"), MaxBytes));
        File.WriteAllText(PathOf("a"), "");
        Assert.Equal("", UserFile.ReadText(PathOf("a"), MaxBytes));
    }

    [Fact]
    public void Open_RelativeLinks_HasLengthAndBytesOfWhatTheyLeadTo()
    {
        Directory.CreateDirectory(PathOf("blobs"));
        Directory.CreateDirectory(PathOf("snapshots"));
        File.WriteAllText(PathOf("blobs/long"), new string('x', 90));
        File.CreateSymbolicLink(PathOf("blobs/again"), "long");
        File.CreateSymbolicLink(PathOf("snapshots/name"), "../blobs/again");
        using UserFile file = UserFile.Open(PathOf("snapshots/name"), MaxBytes);
        Assert.Equal(90, file.Length);
        Assert.Equal("name", file.Name);
        Assert.Equal(90, UserFile.ReadBytes(PathOf("snapshots/name"), MaxBytes).Length);
        Refused("snapshots/name", "must have at most 89 bytes; given 90", maxBytes: 89);
    }

    [Fact]
    public void Open_NothingThereOrALinkThatLeadsNowhere_SaysSo()
    {
        Refused("missing", "there is no such file");
        Refused("missing/deeper", "there is no such file");
        File.CreateSymbolicLink(PathOf("dangling"), "../blobs/1234");
        Assert.True(UserFile.IsThere(PathOf("dangling")));
        Refused("dangling", "is a link to '../blobs/1234', which is not there; download it again");
    }

    [Fact(Timeout = 60_000)]
    public async Task Open_NoRegularFile_RefusesItWithoutWaiting()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "kinds of files are told apart under Linux");
        using (Process make = Process.Start("mkfifo", PathOf("pipe")))
        {
            await make.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(PathOf("socket")));
        Directory.CreateDirectory(PathOf("folder"));
        File.CreateSymbolicLink(PathOf("endless"), "/dev/zero");
        await Task.Run(
            () =>
            {
                Refused("pipe", "must be a regular file; it is a pipe (FIFO)");
                Refused("socket", "must be a regular file; it is a socket or a device");
                Refused("folder", "must be a regular file; it is a folder");
                Refused("endless", "must be a regular file; it is a device");
            },
            TestContext.Current.CancellationToken);
    }

    [Fact]
    public void Open_GitLfsPointer_NamesTheCure()
    {
        File.WriteAllText(PathOf("pointer"), "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 307\n");
        Refused("pointer", "is a Git LFS pointer, not the file itself; fetch that with 'git lfs pull'");
    }

    [Fact]
    public void Read_FileThatBecameShorter_RefusesIt()
    {
        File.WriteAllText(PathOf("a"), "12345678");
        using UserFile file = UserFile.Open(PathOf("a"));
        File.WriteAllText(PathOf("a"), "1234");
        byte[] bytes = new byte[8];
        Assert.Contains("it changed", Assert.Throws<UserFileException>(() => file.Read(0, bytes)).Rule, StringComparison.Ordinal);
        Assert.Throws<UserFileException>(file.RequireUnchanged);
    }

    [Fact]
    public void Read_FileThatGrew_EndsWhereItEnded()
    {
        File.WriteAllText(PathOf("a"), "1234");
        using UserFile file = UserFile.Open(PathOf("a"));
        File.AppendAllText(PathOf("a"), "5678");
        using var reader = new StreamReader(file.OpenStream());
        Assert.Equal("1234", reader.ReadToEnd());
        Assert.Throws<UserFileException>(file.RequireUnchanged);
    }

    [Fact]
    public void RequireUnchanged_OverwrittenWithTheSameLength_RefusesIt_AndReplacedFile_StaysAsItWas()
    {
        File.WriteAllText(PathOf("a"), "1234");
        File.SetLastWriteTimeUtc(PathOf("a"), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        using UserFile file = UserFile.Open(PathOf("a"));
        File.WriteAllText(PathOf("b"), "5678");
        File.Move(PathOf("b"), PathOf("a"), overwrite: true);
        byte[] bytes = new byte[4];
        file.Read(0, bytes);
        file.RequireUnchanged();
        Assert.Equal("1234"u8, bytes);
        using UserFile second = UserFile.Open(PathOf("a"));
        File.SetLastWriteTimeUtc(PathOf("a"), new DateTime(2020, 1, 1, 0, 0, 0, DateTimeKind.Utc));
        Assert.Contains("must not be written to while it is read", Assert.Throws<UserFileException>(second.RequireUnchanged).Rule, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    string PathOf(string name) => Path.Combine(_folder, name);

    void Refused(string name, string rule, int maxBytes = MaxBytes)
    {
        UserFileException failure = Assert.Throws<UserFileException>(() => UserFile.ReadBytes(PathOf(name), maxBytes));
        Assert.Equal(rule, failure.Rule);
        Assert.Equal($"{PathOf(name)}: {rule}", failure.Message);
    }
}
