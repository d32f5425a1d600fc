namespace IgptCluster.Store;

/// <summary>A folder's data is not whole: the store does not serve it.</summary>
/// <param name="message">What is missing.</param>
/// <param name="cause">What found it.</param>
internal sealed class DamagedStoreException(string message, Exception? cause = null) : Exception(message, cause);
