namespace IgptCluster.Chaos.Nodes;

/// <summary>Is told how processes end.</summary>
internal interface INodeWatch
{
    /// <summary>One that served has ended although nobody has ended it.</summary>
    void EndedByItself(Node node, int code);

    /// <summary>One has ended before it was ready.</summary>
    /// <param name="words">The last line of its standard error.</param>
    void Refused(Node node, int code, string words);
}
