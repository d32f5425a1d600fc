using Google.Protobuf.Reflection;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Gateway.Http.Description;
using IgptCluster.Gateway.Http.Requests;
using IgptCluster.Gateway.Models;
using IgptCluster.Gateway.Services;
using IgptCluster.Imaging;
using IgptCluster.Imaging.Output;
using IgptCluster.Imaging.Processing;
using IgptCluster.Protocol.V1;
using Microsoft.Net.Http.Headers;

namespace IgptCluster.Gateway.Http.Images;

/// <summary>A session's picture as far as it is made, and how it was made as an animation.</summary>
internal static class PictureEndpoints
{
    // Of an animation all frames are in memory at once.
    const int MostScale = 32;
    const int MostAnimationScale = 16;

    static readonly TimeSpan FrameDelay = TimeSpan.FromMilliseconds(60);
    static readonly TimeSpan LastFrameDelay = TimeSpan.FromSeconds(2);
    static readonly MethodDescriptor GetRpc = Sessions.Descriptor.FindMethodByName(nameof(Sessions.SessionsBase.Get));

    /// <summary>Maps them.</summary>
    /// <param name="routes">The process's routes.</param>
    public static void MapPictures(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/sessions/{session_id}.png", (HttpContext http, string session_id, ServiceCalls calls, SessionsService sessions, ModelDirectory models) =>
            AnswerAsync(http, session_id, MostScale, "image/png", calls, sessions, models, (picture, scale) => PngEncoder.Encode(picture.Frame(picture.End).Upscale(scale))))
            .Describe("Sessions_Picture", nameof(Sessions), "A session's picture as far as it is made", "image/png", ("scale", $"Pixels on a side of each of its pixels, 1 … {MostScale}."));
        routes.MapGet("/v1/sessions/{session_id}.apng", (HttpContext http, string session_id, ServiceCalls calls, SessionsService sessions, ModelDirectory models) =>
            AnswerAsync(http, session_id, MostAnimationScale, "image/apng", calls, sessions, models, (picture, scale) => ApngEncoder.Encode([.. picture.Frames().Select(frame => frame.Upscale(scale))], FrameDelay, LastFrameDelay)))
            .Describe("Sessions_Animation", nameof(Sessions), "How a session's picture was made, as an animation", "image/apng", ("scale", $"Pixels on a side of each of its pixels, 1 … {MostAnimationScale}."));
    }

    static async Task<IResult> AnswerAsync(
        HttpContext http, string id, int mostScale, string type, ServiceCalls calls, SessionsService sessions, ModelDirectory models, Func<Picture, int, byte[]> encode)
    {
        int scale = Scale(http.Request.Query, mostScale);
        SessionSnapshot snapshot = await calls.CallAsync(http, GetRpc, new GetSessionRequest { SessionId = id }, sessions.PeekAsync);
        SessionDescription session = snapshot.Session;

        // A rewound session can be at the same position with other pixels.
        var tag = new EntityTagHeaderValue($"\"{session.Position}r{session.Rewinds}x{scale}\"");
        http.Response.Headers.CacheControl = "no-cache";
        if (http.Request.GetTypedHeaders().IfNoneMatch.Any(known => known.Compare(tag, useStrongComparison: false) || known == EntityTagHeaderValue.Any))
        {
            http.Response.Headers.ETag = tag.ToString();
            return TypedResults.StatusCode(StatusCodes.Status304NotModified);
        }

        ServedModel model = await models.GetAsync(session.Spec.Model);
        return TypedResults.Bytes(encode(new Picture(model.RequiredProcessor.Palette, session.Spec, snapshot.Tokens), scale), type, entityTag: tag);
    }

    static int Scale(IQueryCollection query, int most)
    {
        if (query.Keys.FirstOrDefault(name => name != "scale") is { } unknown)
        {
            throw Require.Invalid(Echo.Cut(unknown, Echo.MaxLength), "there is no such parameter: the route takes scale");
        }

        string given = query["scale"].ToString();
        return given.Length == 0 ? 1
            : int.TryParse(given, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out int scale) && scale >= 1 && scale <= most ? scale
            : throw Require.Invalid("scale", $"must be 1 … {most}; given {Echo.Quoted(given)}");
    }

    sealed record Picture(Palette Palette, GenerationSpec Spec, int[] Tokens)
    {
        public int End => Spec.Prompt.Length + Tokens.Length;

        public RgbImage Frame(int end) => TokenImage.Render(Palette, Spec.Prompt.Concat(Tokens).Take(end).ToArray(), Spec.Width, Spec.Height);

        /// <summary>A frame for every half row, from the prompt on.</summary>
        public IEnumerable<RgbImage> Frames()
        {
            for (int end = Spec.Prompt.Length; end < End; end += Math.Max(1, Spec.Width / 2))
            {
                yield return Frame(end);
            }

            yield return Frame(End);
        }
    }
}
