// The second view: a session on the easel, live; pause, rewind, paint, fork, and look closer.
import { announce, confirm, h, icon, problemBox, redraw } from './dom.js';
import { call, operationId, pictureOf, Problem, randomSeed } from './api.js';
import { Analysis } from './analysis.js';
import { Branches, familyOf, membersOf } from './branches.js';
import { Brush, tools } from './brush.js';
import { Easel } from './easel.js';
import { download } from './picture.js';
import { samplingFields, samplingMessage } from './sampling.js';

const POLL = 2000;
const SELDOM = 3;
const WORDS = { QUEUED: 'Waiting for a slot', RUNNING: 'Painting', PAUSED: 'Paused', FINISHED: 'Finished', '': 'Opening' };
const ENDS = { COMPLETED: 'Complete', LENGTH: 'Ended at its length', CANCELLED: 'Cancelled', EXPIRED: 'Expired', FAILED: 'Failed' };
const MOST_FAMILY = 32;

/** Shows one session of a family. */
export class SessionView {
  #stop = new AbortController();
  #branch = null;
  #sampling = null;
  #isBrush = false;

  constructor(app, id, companions) {
    this.app = app;
    this.id = id;
    this.companions = companions;
    this.painting = app.painting(id);
    this.easel = new Easel('The picture');
    this.branches = new Branches();
    this.stage = h('div', { class: 'stage' });
    this.panel = h('div', { class: 'panel' });
    this.element = h('div', { class: 'studio' }, this.stage, this.panel);
    this.#build();
    const { signal } = this.#stop;
    this.painting.addEventListener('change', () => this.#change(), { signal });
    this.easel.addEventListener('point', ({ detail }) => this.#point(detail));
    this.easel.addEventListener('key', ({ detail }) => this.#key(detail));
    const poll = setInterval(() => this.#poll(), POLL);
    signal.addEventListener('abort', () => clearInterval(poll));
    this.app.follow([this.painting], this.painting);
    this.#change();
    this.#findFamily();
  }

  close() {
    this.#stop.abort();
  }

  #build() {
    this.state = h('h1', { class: 'state' });
    this.reading = h('p', { class: 'reading' });
    this.facts = h('dl', { class: 'facts' });
    this.controls = h('div', { class: 'row' });
    this.problem = h('div', {});
    this.toolRow = h('div', { class: 'under' });
    this.branchBox = h('section', { class: 'branch', hidden: true, 'aria-label': 'Go on from here' });
    this.hint = h('p', { class: 'hint' });
    this.pauseButton = h('button', { type: 'button', class: 'primary', onclick: () => this.#act(this.painting.state === 'PAUSED' ? 'resume' : 'pause') });
    this.cancelButton = h('button', { type: 'button', onclick: () => this.#act('cancel') }, icon('stop'), 'Cancel');
    this.again = h('a', { class: 'button primary', href: '#/' }, 'New picture');
    this.controls.append(this.pauseButton, this.cancelButton, this.again);
    this.png = h('button', { type: 'button', onclick: () => this.#save(this.png, 'png', 32) }, icon('down'), 'PNG');
    this.film = h('button', { type: 'button', onclick: () => this.#save(this.film, 'apng', 16) }, icon('down'), 'Animation');
    this.analysis = new Analysis(this.app, this.painting.model, () => this.#whole(), this.easel);
    this.stage.append(this.easel.element, this.reading, this.toolRow, this.branches.element);
    this.panel.append(
      h('section', { class: 'act' }, this.state, this.controls, this.problem, this.facts),
      this.branchBox, this.analysis.element,
      h('section', {}, h('h2', {}, 'Take it along'), h('div', { class: 'row' }, this.png, this.film),
        h('p', { class: 'hint' }, 'The address of this page holds the session: open it elsewhere and watch the same picture.')),
      h('section', { class: 'quiet-end' }, h('button', { type: 'button', class: 'text', onclick: () => this.#delete() }, 'Delete this session')));
  }

  /** The complete picture with its tokens; null while it is not. */
  #whole() {
    const { painting } = this;
    return painting.isComplete && painting.tokens.every((token) => token >= 0) ? painting : null;
  }

  async #findFamily() {
    const { sessions } = await call('GET', '/v1/sessions?limit=500').catch(() => ({ sessions: [] }));
    if (this.#stop.signal.aborted) return;
    this.forest = familyOf(sessions, [...this.companions, this.id]);
    const ids = membersOf(this.forest).slice(0, MOST_FAMILY);
    const paintings = new Map(ids.map((id) => [id, this.app.painting(id)]));
    this.branches.show(this.forest, paintings, this.id, (id) => this.app.address(id, this.companions));
    this.app.follow([...paintings.values()], this.painting);
  }

  /** What another viewer does is no event: pauses, and the end of one; and a stream that has ended tells of no rewind. */
  async #poll() {
    const { painting } = this;
    this.polls = (this.polls ?? 0) + 1;
    if (document.hidden || painting.isGone || this.app.isLost || (painting.isFinished && this.polls % SELDOM)) return;
    const session = await call('GET', `/v1/sessions/${painting.id}`, undefined, this.#stop.signal).catch(() => null);
    if (!session) return;
    const isRewound = session.rewinds > painting.rewinds;
    if (isRewound || !painting.isFinished) painting.describe(session, this.app.find);
    if (isRewound) this.app.follow(null, painting);
  }

  #change() {
    const { painting } = this;
    this.easel.isLive = painting.state === 'RUNNING';
    if (this.size !== painting.width * painting.height) {
      this.size = painting.width * painting.height;
      this.analysis.model = painting.model;
      this.brush = null;
      this.#showTools();
    }
    this.easel.show(painting);
    if (this.easel.mark === null || this.easel.mark === undefined) this.easel.handle.setAttribute('aria-valuenow', painting.made);
    const ended = painting.isFinished;
    const words = painting.error ? 'Not to be had' : ended ? ENDS[painting.reason] ?? 'Finished' : WORDS[painting.state] ?? painting.state;
    const status = `${painting.state}${painting.reason}${painting.rewinds}${painting.error ? 'E' : ''}`;
    if (status !== this.told) {
      if (this.told !== undefined && painting.state) announce(`${words}, pixel ${painting.made} of ${painting.pixels}.`);
      this.told = status;
      this.analysis.clear();
      this.state.replaceChildren(h('span', { class: `dot ${painting.error ? 'failed' : ended ? painting.reason.toLowerCase() : painting.state.toLowerCase()}` }), words);
      this.#showControls();
      if (painting.error) this.problem.replaceChildren(problemBox(painting.error));
      else if (painting.message) this.problem.replaceChildren(problemBox(new Problem({ title: 'The generation failed', detail: painting.message })));
    }
    this.#tell();
    this.#showFacts();
    this.analysis.update();
    this.png.disabled = painting.made === 0;
    this.film.disabled = painting.made === 0;
    this.element.dataset.state = painting.state;
    this.element.dataset.made = painting.made;
  }

  #showControls() {
    const { painting } = this;
    const isPaused = painting.state === 'PAUSED';
    this.pauseButton.replaceChildren(icon(isPaused ? 'play' : 'pause'), isPaused ? 'Resume' : 'Pause');
    const isOver = painting.isFinished || painting.error !== null;
    this.pauseButton.hidden = isOver;
    this.cancelButton.hidden = isOver;
    this.again.hidden = !isOver;
  }

  #showFacts() {
    const { painting } = this;
    const { sampling, timings } = painting;
    const fact = (name, value) => (value || value === 0 ? [h('dt', {}, name), h('dd', {}, value)] : []);
    this.facts.replaceChildren(
      ...fact('Pixels', `${painting.made.toLocaleString('en')} of ${painting.pixels.toLocaleString('en')}`),
      ...fact('Model', painting.model.name),
      ...fact('Replica', painting.isFinished ? null : painting.replica),
      ...(sampling ? fact('Seed', h('code', {}, sampling.seed)) : []),
      ...(sampling ? fact('Sampling', `temperature ${round(sampling.temperature)}${sampling.topK ? `, top-k ${sampling.topK}` : ''}${sampling.topP < 1 ? `, top-p ${round(sampling.topP)}` : ''}`) : []),
      ...(timings ? fact('First pixel after', `${Math.round(1000 * parseFloat(timings.firstToken))} ms`) : []),
      ...(timings?.resumptions ? fact('Taken up again', `${timings.resumptions} ×`) : []),
      ...fact('Rewound', painting.rewinds ? `${painting.rewinds} ×` : null));
  }

  #showTools() {
    this.brush ??= new Brush(this.painting.palette);
    redraw(this.toolRow,
      tools('Rewind by dragging', this.#isBrush, (isBrush) => {
        this.#isBrush = isBrush;
        this.easel.isBrush = isBrush;
        this.easel.point(null);
        this.#setBranch();
        this.#showTools();
      }), this.#isBrush ? this.brush.element : null);
    this.easel.handle.setAttribute('aria-label', this.#isBrush ? 'Picture: arrow keys move, space paints the pixel, delete erases' : 'Picture: arrow keys choose the pixel to go back to');
  }

  #words(position) {
    const { width, pixels } = this.painting;
    return position >= pixels ? 'the end' : `row ${Math.floor(position / width) + 1}, column ${(position % width) + 1}`;
  }

  #tell(hovered = null) {
    const { painting } = this;
    const bits = hovered !== null ? this.analysis.surprise?.[hovered] : undefined;
    if (hovered === null) {
      this.reading.textContent = painting.made === 0 && !painting.error ? 'Waiting for the first pixel …'
        : this.easel.mark === null || this.easel.mark === undefined
          ? (this.#isBrush ? 'Paint pixels that must stay; the model paints around them.' : 'Drag over the picture to go back in time.') : this.#words(this.easel.mark);
      return;
    }
    const token = painting.tokens[hovered];
    this.reading.textContent = [this.#words(hovered), hovered < painting.made && token >= 0 ? `colour ${token}` : 'not painted yet', bits === undefined ? '' : `${bits.toFixed(1)} bits of surprise`].filter(Boolean).join(', ');
  }

  get #lowest() {
    return this.painting.promptTokens;
  }

  #clamp(position) {
    return Math.max(this.#lowest, Math.min(position, this.painting.made, this.painting.pixels - 1));
  }

  #point({ position, phase }) {
    if (phase === 'leave' || phase === 'hover') {
      if (this.#isBrush) this.easel.point(position, '');
      this.#tell(phase === 'leave' ? null : position);
    } else if (this.#isBrush) {
      if (phase !== 'end') this.#paint(position, this.brush.chosen);
      this.easel.point(position, this.#words(position));
    } else if (this.painting.made > this.#lowest) {
      this.#setMark(this.#clamp(position));
    }
  }

  #key({ position, act }) {
    if (act === 'leave') {
      this.#leave();
    } else if (this.#isBrush) {
      const at = Math.max(this.#lowest, Math.min(position, this.painting.pixels - 1));
      if (act === 'paint') this.#paint(at, this.brush.chosen);
      if (act === 'erase') this.#paint(at, -1);
      this.easel.point(at, this.#words(at));
      this.#tell(at);
    } else if (act === 'move') {
      this.#setMark(this.#clamp(position));
    } else if (act === 'paint' && this.#branch) {
      this.branchBox.querySelector('button.primary')?.focus();
    }
  }

  #setMark(position) {
    this.easel.point(position, this.#words(position));
    this.#tell();
    this.#setBranch();
  }

  #paint(position, token) {
    if (position < this.#lowest) return;
    if (token < 0) this.easel.painted.delete(position);
    else this.easel.painted.set(position, token);
    this.#setBranch();
  }

  /** Where the new part begins: at the mark, or at the first painted pixel before it. */
  #setBranch() {
    const { painted } = this.easel;
    const mark = this.#isBrush ? null : this.easel.mark ?? null;
    if (mark === null && !painted.size) {
      this.#leave();
      return;
    }
    const position = this.#clamp(Math.min(mark ?? Infinity, ...painted.keys()));
    this.easel.veilFrom = position;
    this.easel.draw();
    const isNew = this.#branch === null;
    this.#branch = position;
    if (isNew) {
      const { sampling } = this.painting;
      this.#sampling = { temperature: sampling?.temperature ?? 1, topK: sampling?.topK ?? 0, topP: sampling?.topP ?? 1, seed: randomSeed() };
      this.branchWords = h('p', {});
      this.branchProblem = h('div', {});
      this.rewindButton = h('button', { type: 'button', class: 'primary', onclick: () => this.#rewind() }, icon('rewind'), 'Rewind');
      this.forkButton = h('button', { type: 'button', onclick: () => this.#fork() }, icon('fork'), 'Fork');
      this.branchBox.hidden = false;
      this.branchBox.replaceChildren(h('h2', {}, 'Go on from here'), this.branchWords,
        h('div', { class: 'row' }, this.rewindButton, this.forkButton, h('button', { type: 'button', class: 'quiet', onclick: () => this.#leave() }, 'Leave it')),
        h('p', { class: 'hint' }, 'Rewind drops what is veiled. Fork keeps this picture and paints another.'), this.branchProblem,
        h('details', {}, h('summary', {}, 'Sampling of the new part'), samplingFields(this.#sampling, { colours: this.painting.palette.size, seedHint: 'as before' })));
    }
    this.branchWords.textContent = `From ${this.#words(position)}${painted.size ? `; ${painted.size === 1 ? 'the painted pixel stays' : `${painted.size} painted pixels stay`}` : ''}.`;
    this.forkButton.disabled = position === 0;
  }

  #leave() {
    this.#branch = null;
    this.easel.painted.clear();
    this.easel.veilFrom = null;
    this.easel.point(null);
    this.branchBox.hidden = true;
    this.#tell();
  }

  #message(name) {
    return {
      [name]: this.#branch, sampling: samplingMessage(this.#sampling), operationId: operationId(),
      forced: [...this.easel.painted].filter(([position]) => position >= this.#branch).map(([position, token]) => ({ position, token })),
    };
  }

  #rewind() {
    return this.#try(this.rewindButton, this.branchProblem, async () => {
      const session = await call('POST', `/v1/sessions/${this.id}/rewind`, this.#message('toPosition'));
      this.#leave();
      this.analysis.clear();
      this.painting.reason = '';
      this.painting.describe(session, this.app.find);
      this.app.follow(null, this.painting);
      announce('Rewound. The model paints on from there.');
    });
  }

  #fork() {
    return this.#try(this.forkButton, this.branchProblem, async () => {
      const session = await call('POST', `/v1/sessions/${this.id}/fork`, this.#message('atPosition'));
      announce('Forked. The new picture is shown.');
      this.app.go(session.sessionId, this.companions);
    });
  }

  #act(verb) {
    return this.#try(verb === 'cancel' ? this.cancelButton : this.pauseButton, this.problem, async () => {
      this.painting.describe(await call('POST', `/v1/sessions/${this.id}/${verb}`, { operationId: operationId() }), this.app.find);
      this.app.follow(null, this.painting);
    });
  }

  async #delete() {
    if (!await confirm('Delete this session?', 'Its picture is forgotten by the cluster, for all who watch it. Forks of it stay.', 'Delete it')) return;
    await this.#try(null, this.problem, async () => {
      await call('DELETE', `/v1/sessions/${this.id}`);
      this.app.forget(this.id);
      location.hash = '#/';
    });
  }

  #save(button, kind, scale) {
    return this.#try(button, this.problem, async () => download(await pictureOf(this.id, kind, scale), `imagegpt-${this.id.slice(0, 8)}.${kind}`));
  }

  async #try(button, place, work) {
    place.replaceChildren();
    button?.setAttribute('aria-busy', 'true');
    try {
      await work();
    } catch (failure) {
      if (!(failure instanceof Problem)) throw failure;
      place.replaceChildren(problemBox(failure));
    } finally {
      button?.removeAttribute('aria-busy');
    }
  }
}

const round = (number) => Number(number.toFixed(2));
