// Does all of the images API with OpenAI's own client. Arguments: the gateway's address, an image, a mask. Prints what came back as JSON.
import fs from 'node:fs';
import OpenAI from 'openai';

const [address, image, mask] = process.argv.slice(2);
const client = new OpenAI({ baseURL: `${address}/v1`, apiKey: 'none', maxRetries: 0 });

const events = [];
for await (const event of await client.images.generate({ prompt: '', stream: true, partial_images: 3, size: '64x64', seed: 5 })) {
  events.push(event);
}

const edits = [];
for await (const event of await client.images.edit({ prompt: '', image: fs.createReadStream(image), stream: true, partial_images: 1 })) {
  edits.push(event);
}

const refusals = [];
for (const request of [{ prompt: 'a cat' }, { prompt: '', size: '100x100' }, { prompt: '', model: 'nothing' }, { prompt: '', n: 5000 }]) {
  try {
    await client.images.generate(request);
  } catch (error) {
    refusals.push({ type: error.constructor.name, status: error.status, message: error.message, param: error.param });
  }
}

console.log(JSON.stringify({
  generated: await client.images.generate({ prompt: '', n: 2, size: '256x256', seed: 5 }),
  webp: await client.images.generate({ prompt: '', output_format: 'webp' }),
  edited: await client.images.edit({ prompt: '', image: fs.createReadStream(image), mask: fs.createReadStream(mask), response_format: 'url' }),
  events,
  edits,
  refusals,
}));
