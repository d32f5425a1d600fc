using System.ComponentModel.DataAnnotations;
using System.Text.Json;

namespace IgptCluster.Hosting;

/// <summary>
/// A data folder is one node's: the one that keeps the cluster's membership, and with it the folder's store. The system gives the lease back when the node's process ends, however it ends.
/// </summary>
internal sealed class StoreLease : IDisposable
{
    const string LockFile = "node.lock";
    const string HolderFile = "node.json"; // a locked file cannot be read

    readonly FileStream _lock;

    StoreLease(FileStream locked) => _lock = locked;

    /// <summary>Takes a folder's lease.</summary>
    /// <param name="folder">The folder; made if it is missing.</param>
    /// <exception cref="ValidationException">Another node has it, and the message says which; or the folder cannot be made or written.</exception>
    internal static StoreLease Take(string folder)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Unusable(folder, failure);
        }

        string file = Path.Combine(folder, LockFile);
        string holder = Path.Combine(folder, HolderFile);
        FileStream locked;
        try
        {
            locked = new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException failure) when (failure.GetType() == typeof(IOException) && File.Exists(file))
        {
            throw new ValidationException(
                $"Igpt:Store:Folder: {folder} is in use by {Describe(holder)}: stop that node, join its cluster (--primary-port PORT), or name another folder (--data FOLDER)", failure);
        }

        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            throw Unusable(folder, failure);
        }

        try
        {
            File.WriteAllText(holder, JsonSerializer.Serialize(new Holder(Environment.ProcessId, Environment.MachineName, DateTimeOffset.Now)));
            return new StoreLease(locked);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            locked.Dispose();
            throw Unusable(folder, failure);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _lock.Dispose();

    static ValidationException Unusable(string folder, Exception failure) => new(
        $"Igpt:Store:Folder: data cannot be kept in {folder}: {failure.Message.TrimEnd('.')}. Name a folder that this user can write (--data FOLDER), or keep nothing (--no-store)", failure);

    static string Describe(string file)
    {
        try
        {
            Holder? holder = JsonSerializer.Deserialize<Holder>(File.ReadAllText(file));
            return holder is null ? "another node" : $"the node of process {holder.Process} on {holder.Machine}, started at {holder.Since:yyyy-MM-dd HH:mm:ss}";
        }
        catch (Exception failure) when (failure is IOException or JsonException or UnauthorizedAccessException)
        {
            return "another node";
        }
    }

    sealed record Holder(int Process, string Machine, DateTimeOffset Since);
}
