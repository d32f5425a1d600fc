using IgptCluster.Engine.Runner;

namespace IgptCluster.Engine.Requests;

/// <summary>What an <see cref="EvaluationRequest"/> asked for.</summary>
/// <param name="Pooled">Mean hidden state of each wanted layer, in the request's order, float32 [<see cref="ModelShape.EmbeddingSize"/>]; empty if none was.</param>
/// <param name="LogProbabilities">Natural log-probability of each token, float32 [tokens]; empty unless wanted.</param>
public sealed record EvaluationResult(float[][] Pooled, float[] LogProbabilities);
