// Pictures that people bring: decoded, made as small as the model's, in its colours.

/** A file's picture as the model will see it, near enough to look at; the server's own preparation decides. */
export async function prepare(file, model) {
  const { width, height, colours } = model;
  let image;
  try {
    image = await createImageBitmap(file);
  } catch {
    throw new Error('This file is no picture that the browser can read. PNG, JPEG, WebP, GIF and BMP are.');
  }
  const canvas = canvasOf(width, height);
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, width, height);
  context.drawImage(image, 0, 0, width, height);
  const { data } = context.getImageData(0, 0, width, height);
  const tokens = Int16Array.from({ length: width * height }, (_, i) => colours.nearest(data[i * 4], data[i * 4 + 1], data[i * 4 + 2]));
  return { ...pictureOf(tokens, model), file };
}

/** A picture of tokens, as the easel shows it. */
export function pictureOf(tokens, model) {
  const { width, height, colours } = model;
  const rgb = new Uint8Array(tokens.length * 3);
  tokens.forEach((token, i) => rgb.set(colours.bytes.subarray(token * 3, token * 3 + 3), i * 3));
  return { width, height, rgb, tokens, palette: colours, made: tokens.length };
}

/** The bytes of a picture as PNG, each pixel as a square of `scale`. */
export async function pngOf({ width, height, rgb, made }, scale = 1) {
  const small = canvasOf(width, height);
  const image = new ImageData(width, height);
  for (let i = 0; i < made; i++) image.data.set([rgb[i * 3], rgb[i * 3 + 1], rgb[i * 3 + 2], 255], i * 4);
  small.getContext('2d').putImageData(image, 0, 0);
  const large = canvasOf(width * scale, height * scale);
  const context = large.getContext('2d');
  context.imageSmoothingEnabled = false;
  context.drawImage(small, 0, 0, large.width, large.height);
  return new Promise((resolve) => large.toBlob(resolve, 'image/png'));
}

/** Draws a picture's pixels into a canvas of its size. */
export function thumbnail(canvas, { width, height, rgb, made }) {
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const image = new ImageData(width, height);
  for (let i = 0; i < made; i++) {
    image.data[i * 4] = rgb[i * 3];
    image.data[i * 4 + 1] = rgb[i * 3 + 1];
    image.data[i * 4 + 2] = rgb[i * 3 + 2];
    image.data[i * 4 + 3] = 255;
  }
  canvas.getContext('2d').putImageData(image, 0, 0);
}

function canvasOf(width, height) {
  return Object.assign(document.createElement('canvas'), { width, height });
}

/** Hands a file to the browser's downloads. */
export function download(blob, name) {
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
