namespace IgptCluster.Hosting.Records;

/// <summary>What is stored is not what was written.</summary>
/// <param name="message">What is wrong with it.</param>
internal sealed class DamagedRecordException(string message) : Exception(message);
