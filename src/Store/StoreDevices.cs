using IgptCluster.Store.Integrity;
using Tsavorite.core;

namespace IgptCluster.Store;

/// <summary>The files that Garnet reads and writes. Of the append-only file it is noted how long it is (<see cref="LogLength"/>).</summary>
/// <param name="folder">The store's folder.</param>
internal sealed class StoreDevices(StoreFolder folder) : INamedDeviceFactoryCreator
{
    const string AppendOnlyFile = "aof.log";

    /// <inheritdoc/>
    public INamedDeviceFactory Create(string baseName) => new Factory(folder, new LocalStorageNamedDeviceFactoryCreator(deviceType: DeviceType.RandomAccess).Create(baseName));

    sealed class Factory(StoreFolder folder, INamedDeviceFactory files) : INamedDeviceFactory
    {
        public void Delete(FileDescriptor fileInfo) => files.Delete(fileInfo);

        public IDevice Get(FileDescriptor fileInfo) => fileInfo.fileName == AppendOnlyFile ? new NotedDevice(files.Get(fileInfo), LogLength.Open(folder)) : files.Get(fileInfo);

        public IEnumerable<FileDescriptor> ListContents(string path) => files.ListContents(path);
    }

    /// <summary>A device whose length is noted after each write, before the write is said to be complete.</summary>
    sealed class NotedDevice(IDevice file, LogLength length) : StorageDeviceBase(file.FileName, file.SectorSize, file.Capacity)
    {
        public override void Initialize(long segmentSize, LightEpoch? epoch = null, bool omitSegmentIdFromFilename = false)
        {
            base.Initialize(segmentSize, epoch, omitSegmentIdFromFilename);
            file.Initialize(segmentSize, epoch, omitSegmentIdFromFilename);
        }

        public override void WriteAsync(IntPtr sourceAddress, int segmentId, ulong destinationAddress, uint numBytesToWrite, DeviceIOCompletionCallback callback, object context)
        {
            long until = (segmentId * segmentSize) + (long)destinationAddress + numBytesToWrite;
            file.WriteAsync(sourceAddress, segmentId, destinationAddress, numBytesToWrite, Note, context);

            void Note(uint errorCode, uint numBytes, object own, Exception ioException)
            {
                if (errorCode == 0)
                {
                    try
                    {
                        length.Reach(until);
                    }
                    catch (IOException failure)
                    {
                        (errorCode, ioException) = (uint.MaxValue, failure);
                    }
                }

                callback(errorCode, numBytes, own, ioException);
            }
        }

        public override void ReadAsync(int segmentId, ulong sourceAddress, IntPtr destinationAddress, uint readLength, DeviceIOCompletionCallback callback, object context) =>
            file.ReadAsync(segmentId, sourceAddress, destinationAddress, readLength, callback, context);

        public override void RemoveSegment(int segment) => file.RemoveSegment(segment);

        public override void RemoveSegmentAsync(int segment, AsyncCallback callback, IAsyncResult result) => file.RemoveSegmentAsync(segment, callback, result);

        public override long GetFileSize(int segment) => file.GetFileSize(segment);

        public override bool Throttle() => file.Throttle();

        public override bool TryComplete() => file.TryComplete();

        public override void Reset() => file.Reset();

        public override void Dispose()
        {
            file.Dispose();
            length.Dispose();
        }
    }
}
