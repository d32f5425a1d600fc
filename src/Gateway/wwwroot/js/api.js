// The gateway's HTTP API: calls, streams of events, and problems (docs/http.md).

/** What a call was refused for: RFC 9457's members, or that nobody answered. */
export class Problem extends Error {
  constructor(members) {
    super(members.detail ?? members.title ?? 'It did not work.');
    Object.assign(this, members);
  }

  /** Whether the same call may succeed later without being changed. */
  get isPassing() {
    return ['UNREACHABLE', 'UNAVAILABLE', 'RESOURCE_EXHAUSTED', 'DEADLINE_EXCEEDED'].includes(this.code) || this.status >= 500;
  }
}

const unreachable = () => new Problem({
  status: 0, code: 'UNREACHABLE', title: 'No answer from the gateway', detail: 'The gateway does not answer. It may be starting again.',
});

async function send(method, path, { body, headers = {}, signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method, signal, cache: 'no-store',
      headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (failure) {
    if (signal?.aborted) throw failure;
    throw unreachable();
  }
  if (response.ok) return response;
  let members = {};
  try {
    members = await response.json();
  } catch {
    // A proxy in between has its own pages.
  }
  throw new Problem({ title: response.statusText || `HTTP ${response.status}`, status: response.status, ...members });
}

/** A call with one answer. */
export async function call(method, path, body, signal) {
  const response = await send(method, path, { body, signal });
  return response.json();
}

/** A session's picture (png) or how it was made (apng), as a file; each pixel is a square of `scale`. */
export async function pictureOf(id, kind, scale) {
  return (await send('GET', `/v1/sessions/${id}.${kind}?scale=${scale}`)).blob();
}

/** The events of a stream, each with its name, id and data. A stream that ends with a failure throws it. */
export async function* events(method, path, { body, lastEventId, signal } = {}) {
  const headers = { accept: 'text/event-stream', ...(lastEventId ? { 'last-event-id': lastEventId } : {}) };
  const response = await send(method, path, { body, headers, signal });
  if (response.status === 204) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    while (true) {
      let piece;
      try {
        piece = await reader.read();
      } catch (failure) {
        if (signal?.aborted) throw failure;
        throw unreachable();
      }
      if (piece.done) return;
      text += piece.value;
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const event = parse(text.slice(0, end));
        text = text.slice(end + 2);
        if (!event) continue;
        if (event.name === 'error') throw new Problem(event.data);
        yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parse(block) {
  const event = { name: 'message', id: '', data: '' };
  for (const line of block.split('\n')) {
    const [, name, value] = /^(event|id|data): ?(.*)$/.exec(line) ?? [];
    if (name === 'event') event.name = value;
    else if (name === 'id') event.id = value;
    else if (name === 'data') event.data += value;
  }
  if (!event.data) return null;
  event.data = JSON.parse(event.data);
  return event;
}

/** A name that makes a retried call the same one. (crypto.randomUUID is there only on secure origins.) */
export function operationId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A seed as the user may note it down. */
export const randomSeed = () => String(crypto.getRandomValues(new Uint32Array(1))[0]);

/** Bytes of base64. */
export const bytesOf = (base64) => Uint8Array.from(atob(base64 ?? ''), (letter) => letter.charCodeAt(0));

/** Base64 of bytes. */
export function base64Of(bytes) {
  let text = '';
  for (let i = 0; i < bytes.length; i += 0x8000) text += String.fromCharCode(...bytes.subarray(i, i + 0x8000));
  return btoa(text);
}

let known = null;

/** The models, each with its palette as bytes. Read once until told otherwise. */
export async function models(again = false) {
  if (!known || again) {
    const { models: list } = await call('GET', '/v1/models');
    known = list.map((model) => ({ ...model, palette: bytesOf(model.palette) }));
  }
  return known;
}
