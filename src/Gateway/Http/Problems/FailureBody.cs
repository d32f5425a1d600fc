namespace IgptCluster.Gateway.Http.Problems;

/// <summary>The body of a transcoded call's response: passed on if the call succeeded, kept if it failed. One writer.</summary>
/// <param name="response">The response.</param>
/// <param name="inner">Its body.</param>
internal sealed class FailureBody(HttpResponse response, Stream inner) : Stream
{
    /// <summary>What a failed call has written: google.rpc.Status in JSON.</summary>
    public MemoryStream Kept { get; } = new();

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    Stream Target => response.StatusCode >= StatusCodes.Status400BadRequest ? Kept : inner;

    public override void Flush() => Target.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => Target.FlushAsync(cancellationToken);

    public override void Write(byte[] buffer, int offset, int count) => Target.Write(buffer, offset, count);

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => Target.WriteAsync(buffer, cancellationToken);

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Target.WriteAsync(buffer, offset, count, cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
