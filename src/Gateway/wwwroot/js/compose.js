// The first view: what the model begins with, and how it goes on.
import { announce, field, h, icon, problemBox, redraw, segmented, slider } from './dom.js';
import { base64Of, call, events, operationId, Problem } from './api.js';
import { Analysis } from './analysis.js';
import { Brush, tools } from './brush.js';
import { Easel } from './easel.js';
import { load, save } from './memory.js';
import { Painting } from './painting.js';
import { pictureOf, prepare } from './picture.js';
import { samplingFields, samplingMessage } from './sampling.js';
import { sleep } from './watch.js';

const LIFETIMES = [['3600s', 'an hour'], ['86400s', 'a day'], ['604800s', 'a week']];

/** Chooses and starts a generation. */
export class ComposeView {
  #stop = new AbortController();

  constructor(app) {
    this.app = app;
    const makers = app.models.filter((model) => model.canGenerate && model.colours.size > 0);
    this.settings = { samples: 4, temperature: 1, topK: 0, topP: 1, ttl: '86400s', ...load('settings', {}), seed: '' };
    this.model = makers.find((model) => model.name === this.settings.model) ?? makers[0];
    this.makers = makers;
    this.easel = new Easel('How many rows of the picture to keep');
    this.stage = h('div', { class: 'stage' });
    this.panel = h('div', { class: 'panel' });
    this.element = h('div', { class: 'studio' }, this.stage, this.panel);
    this.start = 'nothing';
    this.picture = null;
    this.painted = new Map();
    this.isBrush = false;
    if (!this.model) {
      this.#none();
      return;
    }
    this.keep = Math.floor(this.model.height / 2);
    this.easel.addEventListener('point', ({ detail }) => this.#point(detail));
    this.easel.addEventListener('key', ({ detail }) => this.#key(detail));
    this.#listen();
    this.#build();
    this.#change();
  }

  close() {
    this.#stop.abort();
  }

  #none() {
    this.stage.append(h('div', { class: 'empty' }, h('h1', {}, 'Nothing here can paint yet'),
      h('p', {}, 'A model that generates is needed, with a palette. Models that are being loaded appear in the cluster view.'), h('a', { class: 'button', href: '#/cluster' }, 'Look at the cluster')));
    const timer = setInterval(async () => {
      await this.app.refresh().catch(() => {});
      if (this.app.models.some((model) => model.canGenerate && model.colours.size > 0)) this.app.route();
    }, 2000);
    this.#stop.signal.addEventListener('abort', () => clearInterval(timer));
  }

  #build() {
    this.input = h('input', { type: 'file', accept: 'image/png,image/jpeg,image/webp,image/gif,image/bmp', class: 'unseen', tabindex: -1, 'aria-hidden': 'true', onchange: () => this.#take(this.input.files[0]) });
    this.invite = h('div', { class: 'invite' });
    this.tools = h('div', { class: 'under' });
    this.reading = h('p', { class: 'reading' });
    this.recent = h('section', { class: 'recent', hidden: true });
    this.easel.element.append(this.invite);
    this.stage.append(this.easel.element, this.reading, this.tools, this.input);
    this.problem = h('div', {});
    this.go = h('button', { type: 'button', class: 'primary big', onclick: () => this.#begin() }, icon('play'), h('span', {}, 'Paint'));
    this.starts = h('div', {});
    this.keepRow = h('div', {});
    this.samplingBox = h('div', {});
    this.#buildSampling();
    this.analysis = new Analysis(this.app, this.model, () => this.#whole(), this.easel);
    this.panel.append(
      h('h1', { class: 'unseen' }, 'Paint a picture'),
      h('section', {},
        this.makers.length > 1
          ? field('Model', h('select', { onchange: (event) => this.#choose(event.target.value) }, this.makers.map((model) => h('option', { value: model.name, selected: model === this.model }, model.name))))
          : h('p', { class: 'model' }, h('b', {}, this.model.name), ` ${this.model.width} × ${this.model.height} pixels, ${this.model.colours.size} colours`),
        this.starts, this.keepRow),
      h('section', {}, slider('Samples', { value: this.settings.samples, min: 1, max: 8, step: 1, hint: 'Pictures to make from the same beginning' }, (value) => { this.settings.samples = value; }), this.samplingBox,
        h('label', { class: 'slider' }, h('span', { class: 'label' }, 'Keep for'),
          h('select', { onchange: (event) => { this.settings.ttl = event.target.value; } }, LIFETIMES.map(([value, text]) => h('option', { value, selected: value === this.settings.ttl }, text))))),
      h('section', { class: 'act' }, this.go, this.problem),
      this.analysis.element, this.recent);
    this.#listRecent();
  }

  #buildSampling() {
    this.samplingBox.replaceChildren(samplingFields(this.settings, { colours: this.model.colours.size, seedHint: 'drawn by the server' }));
  }

  #choose(name) {
    this.model = this.makers.find((model) => model.name === name);
    this.keep = Math.floor(this.model.height / 2);
    this.painted.clear();
    this.brush = null;
    this.analysis.model = this.model;
    this.#buildSampling();
    if (this.start === 'picture' && this.picture) this.#take(this.picture.file);
    else if (this.start === 'drawing') this.#begins('drawing');
    else this.#change();
  }

  /** Begins with nothing, a picture or a drawing. */
  #begins(start) {
    if (start === 'picture' && !this.picture?.file) {
      this.input.click();
      this.#change();
      return;
    }
    this.start = start;
    this.isBrush = start === 'drawing';
    this.#change();
  }

  async #take(file) {
    if (!file) return;
    try {
      this.picture = await prepare(file, this.model);
      this.start = 'picture';
      this.isBrush = false;
      this.painted.clear();
      this.problem.replaceChildren();
      announce('The picture is on the canvas. Choose how many rows to keep.');
    } catch (failure) {
      this.problem.replaceChildren(problemBox(new Problem({ title: 'The picture cannot be used', detail: failure.message })));
    }
    this.input.value = '';
    this.#change();
  }

  /** What is on the canvas before anything is made. */
  #source() {
    const { width, height, colours } = this.model;
    if (this.start === 'picture' && this.picture) return this.picture;
    const paper = colours.nearest(255, 255, 255);
    if (this.start === 'drawing') return (this.paper = this.paper?.palette === colours ? this.paper : pictureOf(new Int16Array(width * height).fill(paper), this.model));
    return (this.blank = this.blank?.palette === colours ? this.blank : { width, height, rgb: new Uint8Array(width * height * 3), palette: colours, made: 0 });
  }

  get #kept() {
    return this.start === 'nothing' ? 0 : this.keep * this.model.width;
  }

  /** The whole picture that was brought or drawn; null if there is none. */
  #whole() {
    if (this.start === 'nothing' || (this.start === 'picture' && !this.picture)) return null;
    const source = this.#source();
    const tokens = Int16Array.from(source.tokens);
    for (const [position, token] of this.painted) tokens[position] = token;
    return pictureOf(tokens, this.model);
  }

  #change() {
    const source = this.#source();
    const { width, height } = this.model;
    const hasKeep = this.start !== 'nothing';
    this.easel.painted = this.painted;
    this.easel.markFrom = this.#kept;
    this.easel.veilFrom = hasKeep ? this.#kept : null;
    this.easel.isBrush = this.isBrush;
    this.easel.show(source, { atOnce: true });
    this.easel.point(this.isBrush ? this.easel.mark ?? null : hasKeep ? this.#kept : null, `${this.keep} of ${height} rows kept`);
    this.easel.handle.setAttribute('aria-label', this.isBrush ? 'Canvas: arrow keys move, space paints, delete erases' : !hasKeep ? 'Canvas, empty' : 'How much of the picture to keep: arrow keys move the line');
    redraw(this.starts, segmented('Begin with', [['nothing', 'Nothing'], ['picture', 'A picture'], ['drawing', 'A drawing']], this.start, (value) => this.#begins(value)));
    redraw(this.keepRow, ...(hasKeep ? [slider('Keep rows', { value: this.keep, min: 0, max: height - 1, step: 1, hint: 'The model goes on below' }, (value) => {
      this.keep = Math.max(0, Math.min(height - 1, Math.round(value)));
      this.#place();
    })] : []));
    this.brush ??= new Brush(this.model.colours, undefined);
    redraw(this.tools,
      h('div', { class: 'row' }, tools(hasKeep ? 'Drag the line' : null, this.isBrush, (isBrush) => { this.isBrush = hasKeep ? isBrush : !this.isBrush; this.easel.mark = null; this.#change(); }),
        this.start === 'picture' ? h('button', { type: 'button', class: 'quiet', onclick: () => this.input.click() }, icon('image'), 'Another picture') : null,
        this.painted.size ? h('button', { type: 'button', class: 'quiet', onclick: () => { this.painted.clear(); this.#change(); } }, 'Clear paint') : null),
      this.isBrush ? this.brush.element : null);
    this.invite.hidden = this.start !== 'nothing' || this.painted.size > 0 || this.isBrush;
    this.invite.replaceChildren(
      h('p', { class: 'invite-title' }, 'Every picture begins with one pixel.'),
      h('p', {}, 'Press ', h('b', {}, 'Paint'), ', and the model begins from nothing. Or give it a beginning: drop a picture here, paste one, ',
        h('button', { type: 'button', class: 'text', onclick: () => this.input.click() }, 'choose a file'), ' or ',
        h('button', { type: 'button', class: 'text', onclick: () => this.#begins('drawing') }, 'draw'), '.'));
    this.#tell();
    this.analysis.clear();
    this.analysis.update();
    this.analysis.element.hidden = !this.#whole();
  }

  #place() {
    this.easel.veilFrom = this.#kept;
    this.easel.markFrom = this.#kept;
    this.easel.point(this.isBrush ? this.easel.mark : this.#kept, `${this.keep} of ${this.model.height} rows kept`);
    const row = this.keepRow.firstElementChild;
    row?.set(this.keep);
    this.#tell();
  }

  #tell() {
    const { width, height } = this.model;
    const behind = [...this.painted.keys()].filter((position) => position >= this.#kept).length;
    this.reading.textContent = [
      this.start === 'nothing' ? `${width * height} pixels to paint` : `${this.keep} rows stay, the model paints ${width * height - this.#kept} pixels`,
      behind ? `${behind} of them as you painted them` : '',
    ].filter(Boolean).join(', ');
  }

  #point({ position, phase }) {
    if (phase === 'leave') {
      if (this.isBrush) this.easel.point(null);
      return;
    }
    if (this.isBrush) {
      this.easel.point(position, this.#words(position));
      if (phase === 'start' || phase === 'move') this.#paint(position, this.brush.chosen);
      if (phase === 'end') this.#change();
    } else if (this.start !== 'nothing' && (phase === 'start' || phase === 'move')) {
      this.keep = Math.floor(position / this.model.width);
      this.#place();
    }
  }

  #key({ position, act }) {
    const { width, height } = this.model;
    if (this.isBrush) {
      const at = Math.min(position ?? 0, width * height - 1);
      if (act === 'paint') this.#paint(at, this.brush.chosen);
      if (act === 'erase') this.#paint(at, -1);
      this.easel.point(act === 'leave' ? null : at, this.#words(at));
    } else if (act === 'move' && this.start !== 'nothing') {
      this.keep = Math.max(0, Math.min(height - 1, Math.floor(position / width)));
      this.#place();
    }
  }

  #words(position) {
    return `row ${Math.floor(position / this.model.width) + 1}, column ${(position % this.model.width) + 1}`;
  }

  #paint(position, token) {
    if (token < 0) this.painted.delete(position);
    else this.painted.set(position, token);
    this.easel.draw();
    this.#tell();
  }

  async #message() {
    const { width, height } = this.model;
    const kept = this.#kept;
    const message = {
      model: this.model.name, samples: this.settings.samples, sampling: samplingMessage(this.settings), sessionTtl: this.settings.ttl, operationId: operationId(),
      forced: [...this.painted].filter(([position]) => position >= kept).map(([position, token]) => ({ position, token })),
    };
    if (kept > 0) {
      message.promptTokens = kept;
      const isTouched = [...this.painted.keys()].some((position) => position < kept);
      message.prompt = this.start === 'picture' && !isTouched
        ? { encoded: base64Of(new Uint8Array(await this.picture.file.arrayBuffer())) }
        : { tokens: { width, height, ids: Array.from(this.#whole().tokens) } };
    }
    return message;
  }

  async #begin() {
    this.problem.replaceChildren();
    this.go.setAttribute('aria-busy', 'true');
    this.go.disabled = true;
    save('settings', { ...this.settings, model: this.model.name, seed: undefined });
    try {
      await this.#open(await this.#message());
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
      this.problem.replaceChildren(problemBox(failure));
    } finally {
      this.go.removeAttribute('aria-busy');
      this.go.disabled = false;
    }
  }

  /** Starts all samples in one stream, and opens them when each has its session. A call that was not answered is made again: its operation id makes it the same. */
  async #open(message, tries = 5) {
    const stop = new AbortController();
    const paintings = [];
    const stream = events('POST', '/v1/generate', { body: message, signal: stop.signal });
    try {
      while (paintings.filter(Boolean).length < message.samples) {
        const { value: event, done } = await stream.next();
        if (done) throw new Problem({ title: 'The generation did not begin', code: 'UNREACHABLE', detail: 'The stream ended before it began.' });
        const { sessionId, sample } = event.data;
        paintings[sample] ??= this.app.painting(sessionId, this.model);
        paintings[sample].sample = sample;
        paintings[sample].apply(event);
      }
    } catch (failure) {
      stop.abort();
      if (failure.code === 'UNREACHABLE' && tries > 0) {
        await sleep(1000);
        await this.#open(message, tries - 1);
        return;
      }
      throw failure;
    }
    this.app.join(stream, stop, paintings);
    announce(`${paintings.length === 1 ? 'A picture is' : `${paintings.length} pictures are`} being painted.`);
    this.app.go(paintings[0].id, paintings.map((painting) => painting.id));
  }

  async #listRecent() {
    const { sessions } = await call('GET', '/v1/sessions?limit=12').catch(() => ({ sessions: [] }));
    this.recent.hidden = sessions.length === 0;
    this.recent.append(h('h2', {}, 'Lately painted here'), h('ul', { class: 'recent-list' }, sessions.reverse().map((session) => h('li', {},
      this.#link(session)))));
  }

  #link({ sessionId, width, height, position, created }) {
    const words = `${new Date(created).toLocaleString()}, ${Math.round((100 * position) / (width * height))} %`;
    return h('a', { href: `#/s/${sessionId}`, title: words },
      h('img', { class: 'pixels', src: `/v1/sessions/${sessionId}.png`, alt: `Session of ${words}`, loading: 'lazy' }));
  }

  #listen() {
    const { signal } = this.#stop;
    const drag = (event) => {
      event.preventDefault();
      this.stage.classList.toggle('drop', event.type === 'dragover');
    };
    for (const name of ['dragover', 'dragleave', 'drop']) window.addEventListener(name, drag, { signal });
    window.addEventListener('drop', (event) => this.#take(event.dataTransfer.files[0]), { signal });
    window.addEventListener('paste', (event) => this.#take([...event.clipboardData.files].find((file) => file.type.startsWith('image/'))), { signal });
  }
}
