// One session as this page knows it: its pixels, and how it stands.
import { bytesOf } from './api.js';

/** Colour tokens and pixels of one session. Dispatches "change". */
export class Painting extends EventTarget {
  made = 0;
  promptTokens = 0;
  rewinds = 0;
  state = '';
  reason = '';
  message = '';
  error = null;
  sample = 0;
  parent = '';
  replica = '';
  sampling = null;
  timings = null;
  isGone = false;
  #told = false;

  constructor(id, model) {
    super();
    this.id = id;
    this.#size(model);
  }

  #size(model) {
    this.model = model;
    this.palette = model.colours;
    this.width = model.width || 32;
    this.height = model.height || 32;
    this.pixels = this.width * this.height;
    this.tokens = new Int16Array(this.pixels).fill(-1);
    this.rgb = new Uint8Array(this.pixels * 3);
  }

  /** Where a stream of this session goes on: nothing is sent twice, and two stories are never joined. */
  get eventId() {
    return this.#told ? `${this.made}${this.rewinds ? `r${this.rewinds}` : ''}` : null;
  }

  get isFinished() {
    return this.state === 'FINISHED';
  }

  get isComplete() {
    return this.made === this.pixels;
  }

  /** Takes what GET /v1/sessions/{id} says. */
  describe(session, find) {
    if (session.model !== this.model.name) this.#size(find(session.model));
    if (session.rewinds > this.rewinds) this.forget();
    this.state = session.state.replace('SESSION_STATE_', '');
    this.reason = session.reason.replace('FINISH_REASON_', '');
    Object.assign(this, {
      promptTokens: session.promptTokens, sampling: session.sampling, parent: session.parent, replica: session.replica, created: session.created, expires: session.expires,
      sample: session.sample, position: session.position,
    });
    this.#changed();
  }

  /** Begins anew at the next event: the session has been rewound. What is shown stays until then. */
  forget() {
    this.#told = false;
  }

  /** Takes an event of its stream. */
  apply({ name, data }) {
    if (name === 'started') this.#start(data.started);
    else if (name === 'tokens') this.#add(data.tokens);
    else if (name === 'finished') {
      this.state = 'FINISHED';
      this.reason = data.finished.reason.replace('FINISH_REASON_', '');
      this.message = data.finished.message;
      this.timings = data.finished.timings;
    }
    this.#changed();
  }

  /** Takes pixels read from the session's picture: while it is paused, a stream would take it up again. */
  restore(rgb, made) {
    if (this.made >= made || rgb.length !== this.rgb.length) return;
    this.#paint(0, rgb.subarray(0, made * 3));
    this.made = made;
    this.#changed();
  }

  #start(started) {
    if (!this.#told || started.rewinds !== this.rewinds) this.made = started.resumedFrom;
    this.#told = true;
    this.rewinds = started.rewinds;
    this.promptTokens = started.promptTokens;
    this.sampling = started.sampling;
    if (this.state === '' || this.state === 'FINISHED') this.state = 'RUNNING';
    this.#paint(0, bytesOf(started.promptRgb));
    this.made = Math.max(this.made, started.resumedFrom);
  }

  #add({ position, ids, rgb }) {
    if (this.state !== 'PAUSED') this.state = 'RUNNING';
    const bytes = bytesOf(rgb);
    ids.forEach((token, i) => {
      this.tokens[position + i] = token;
      // A model without a palette is shown in false colours.
      if (!bytes.length) this.rgb.set([(token * 67) & 255, (token * 151) & 255, (token * 29) & 255], (position + i) * 3);
    });
    if (bytes.length) this.rgb.set(bytes, position * 3);
    this.made = position + ids.length;
  }

  #paint(position, bytes) {
    this.rgb.set(bytes, position * 3);
    for (let i = 0; i < bytes.length / 3; i++) this.tokens[position + i] = this.palette.exact(bytes, i * 3);
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }
}
