// Keeps paintings up to date: one stream per session, resumed where it broke, for as long as it takes.
import { call, events, pictureOf, Problem } from './api.js';

// Browsers open six connections to one address, which all tabs share: a page that holds them all can call nothing any more.
const MOST_STREAMS = 2;
const SLICE = 1200;
const POLL = 2000;
const LONGEST_WAIT = 8000;

/** Streams of the paintings on the page. The first one never gives its place up; the others take turns. */
export class Watch {
  #watched = new Map();
  #open = [];
  #queue = [];
  #first = null;
  #told;
  #find;

  /** `told(null | {text, isBack})` is called when the connection is lost and when it is back. */
  constructor(find, told) {
    this.#find = find;
    this.#told = told;
    this.lost = new Set();
  }

  /** Follows exactly these paintings, the first of all without pause. */
  follow(paintings, first) {
    this.#first = first;
    const wanted = new Set(paintings);
    for (const [painting, stop] of this.#watched) {
      if (wanted.has(painting)) continue;
      stop.abort();
      this.#watched.delete(painting);
    }
    for (const painting of wanted) this.start(painting);
    this.#make(first);
  }

  /** Follows a painting; again, if it has been taken up again. */
  start(painting) {
    if (this.#watched.has(painting)) return;
    const stop = new AbortController();
    this.#watched.set(painting, stop);
    this.#run(painting, stop.signal).finally(() => {
      if (this.#watched.get(painting) === stop) this.#watched.delete(painting);
      this.#found(painting);
    });
  }

  /** Lets go of all; streams are opened again by follow. */
  stop() {
    this.follow([], null);
  }

  async #run(painting, signal) {
    let wait = 0;
    while (!signal.aborted) {
      try {
        const session = await call('GET', `/v1/sessions/${painting.id}`, undefined, signal);
        this.#found(painting);
        wait = 0;
        painting.describe(session, this.#find);

        // Attaching would take a paused session up again.
        if (painting.state === 'PAUSED') {
          await this.#snapshot(painting, session);
          await whilePaused(painting, signal);
          continue;
        }
        if (painting.isFinished && painting.made === session.position && painting.eventId) return;
        if (await this.#stream(painting, signal)) return;
      } catch (failure) {
        if (signal.aborted) return;
        if (!(failure instanceof Problem)) throw failure;
        if (failure.code === 'ABORTED') {
          painting.forget();
        } else if (failure.isPassing) {
          wait = Math.min(LONGEST_WAIT, wait ? wait * 2 : 500);
          this.#lose(painting, wait);
          await sleep(wait * (0.75 + Math.random() / 2), signal);
        } else {
          painting.isGone = failure.code === 'NOT_FOUND';
          painting.error = failure;
          painting.dispatchEvent(new Event('change'));
          return;
        }
      }
    }
  }

  /** Reads a stream; true: the session has finished and all is told. */
  async #stream(painting, signal) {
    const place = await this.#place(painting, signal);
    const cut = new AbortController();
    place.cut = () => cut.abort();
    const both = AbortSignal.any([signal, cut.signal]);
    const turn = setInterval(() => {
      if (painting !== this.#first && this.#queue.length) cut.abort();
    }, SLICE);
    try {
      for await (const event of events('GET', `/v1/sessions/${painting.id}/events`, { lastEventId: painting.eventId, signal: both })) {
        this.#found(painting);
        painting.apply(event);
        if (event.name === 'finished') return true;
      }
      // 204: all was told before.
      return painting.isFinished;
    } catch (failure) {
      if (cut.signal.aborted && !signal.aborted) return false;
      throw failure;
    } finally {
      clearInterval(turn);
      this.#leave(place);
    }
  }

  async #snapshot(painting, session) {
    if (painting.made >= session.position) return;
    try {
      painting.restore(await readPixels(painting), session.position);
    } catch (failure) {
      // A model without a palette has no picture: it is shown when it goes on.
      if (!(failure instanceof Problem) || failure.isPassing) throw failure;
    }
    painting.rewinds = session.rewinds;
  }

  #place(painting, signal) {
    const place = { painting };
    return new Promise((resolve, reject) => {
      const enter = () => {
        this.#open.push(place);
        resolve(place);
      };
      if (this.#open.length < MOST_STREAMS) {
        enter();
        return;
      }
      const waiting = { painting, enter };
      this.#queue.push(waiting);
      signal.addEventListener('abort', () => {
        this.#queue = this.#queue.filter((one) => one !== waiting);
        reject(signal.reason);
      }, { once: true });
      if (painting === this.#first) this.#make(painting);
    });
  }

  #leave(place) {
    this.#open = this.#open.filter((one) => one !== place);
    const next = this.#queue.findIndex((one) => one.painting === this.#first);
    this.#queue.splice(Math.max(0, next), 1)[0]?.enter();
  }

  /** Makes room for the one that must not wait. */
  #make(first) {
    if (this.#queue.some((one) => one.painting === first)) this.#open.find((one) => one.painting !== first)?.cut?.();
  }

  #lose(painting, wait) {
    this.lost.add(painting);
    this.#told({ isLost: true, wait });
  }

  #found(painting) {
    if (this.lost.delete(painting) && this.lost.size === 0) this.#told({ isLost: false, painting });
  }
}

/** Waits until it is time to ask again, or the page knows that the session goes on. */
async function whilePaused(painting, signal) {
  const done = new AbortController();
  painting.addEventListener('change', () => {
    if (painting.state !== 'PAUSED') done.abort();
  }, { signal: done.signal });
  await sleep(POLL, AbortSignal.any([signal, done.signal]));
  done.abort();
}

/** The pixels of a session's picture as the gateway draws it, three bytes each. */
async function readPixels({ id, width, height }) {
  const image = await createImageBitmap(await pictureOf(id, 'png', 1));
  const context = new OffscreenCanvas(width, height).getContext('2d');
  context.drawImage(image, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return Uint8Array.from({ length: width * height * 3 }, (_, i) => data[Math.floor(i / 3) * 4 + (i % 3)]);
}

/** Waits; ends at once when it is aborted. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
