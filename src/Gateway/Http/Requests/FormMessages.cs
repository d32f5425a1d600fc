using Google.Protobuf;
using Google.Protobuf.Reflection;
using IgptCluster.Contracts;
using IgptCluster.Gateway.Errors;
using IgptCluster.Protocol.V1;

namespace IgptCluster.Gateway.Http.Requests;

/// <summary>Requests as multipart forms: image files, and the message's other fields by name. Any thread.</summary>
internal static class FormMessages
{
    /// <summary>The type of a form with files.</summary>
    public const string Multipart = "multipart/form-data";

    /// <summary>Whether a request is such a form.</summary>
    /// <param name="request">The request.</param>
    public static bool IsForm(HttpRequest request) => request.ContentType?.StartsWith(Multipart, StringComparison.OrdinalIgnoreCase) ?? false;

    /// <summary>Reads a form.</summary>
    /// <typeparam name="T">The message.</typeparam>
    /// <param name="request">The request.</param>
    /// <param name="fileField">What its files are called: the message's field of images, in the singular too.</param>
    /// <param name="take">Puts an image into the message.</param>
    /// <exception cref="IgptException">InvalidArgument: unknown or broken fields, or no form.</exception>
    public static async Task<T> ReadAsync<T>(HttpRequest request, string fileField, Action<T, ImageInput> take)
        where T : IMessage<T>, new()
    {
        IFormCollection form = await FormAsync(request);
        var message = new T();
        FieldDescriptor images = message.Descriptor.FindFieldByName(fileField);
        string[] names = images.IsRepeated ? [fileField, fileField.TrimEnd('s')] : [fileField, "image"];

        // A browser sends what is left blank as well.
        foreach ((string name, Microsoft.Extensions.Primitives.StringValues values) in form.Where(field => !string.IsNullOrEmpty(field.Value)))
        {
            QueryFields.Set(message, name, values);
        }

        foreach (IFormFile file in form.Files)
        {
            Require.That(names.Contains(file.Name), Echo.Cut(file.Name, Echo.MaxLength), $"a file must be called {string.Join(" or ", names)}; given {Echo.Quoted(file.Name)}");
            Require.That(images.IsRepeated || form.Files.Count == 1, fileField, $"one file is taken; given {form.Files.Count}");
            await using Stream bytes = file.OpenReadStream();
            take(message, new ImageInput { Encoded = await ByteString.FromStreamAsync(bytes, request.HttpContext.RequestAborted) });
        }

        return message;
    }

    /// <summary>Reads a form's fields and files.</summary>
    /// <param name="request">The request.</param>
    /// <exception cref="IgptException">InvalidArgument: it is broken.</exception>
    /// <exception cref="BadHttpRequestException">415: it is none.</exception>
    public static async Task<IFormCollection> FormAsync(HttpRequest request)
    {
        if (!IsForm(request))
        {
            throw new BadHttpRequestException($"content-type: must be {Multipart}; given {Echo.Quoted(request.ContentType ?? "")}: send a form with the image's file", StatusCodes.Status415UnsupportedMediaType);
        }

        try
        {
            return await request.ReadFormAsync(request.HttpContext.RequestAborted);
        }
        catch (Exception broken) when (broken is InvalidDataException or (IOException and not BadHttpRequestException))
        {
            throw Require.Invalid("body", $"must be a form of the type {Multipart} with its boundary: {Echo.Cut(broken.Message, Echo.MaxLength)}");
        }
    }
}
